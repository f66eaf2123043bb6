// An attribute that takes a value has one.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length)]
    pub a: String,
}

fn main() {}
