// A text is of one kind.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, stripped, url)]
    pub a: String,
}

fn main() {}
