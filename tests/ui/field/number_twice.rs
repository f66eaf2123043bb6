// A number is used once.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1)]
    pub a: String,
    #[xos(number = 1)]
    pub b: String,
}

fn main() {}
