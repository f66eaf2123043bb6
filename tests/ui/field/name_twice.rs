// Two fields have two names in the core.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, name = "b")]
    pub a: String,
    #[xos(number = 2)]
    pub b: String,
}

fn main() {}
