// A text has room for something.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length = 0)]
    pub a: String,
}

fn main() {}
