// Numbers are 1 to 99.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 100)]
    pub a: String,
}

fn main() {}
