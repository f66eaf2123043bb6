// The base has no number.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base, number = 1)]
    pub base: XosBase,
}

fn main() {}
