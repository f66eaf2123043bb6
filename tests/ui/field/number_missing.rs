// Every field has a number.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    pub a: String,
    #[xos(text)]
    pub b: String,
}

fn main() {}
