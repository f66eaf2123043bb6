// A value is of the kind that its attribute takes.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = "1")]
    pub a: String,
}

fn main() {}
