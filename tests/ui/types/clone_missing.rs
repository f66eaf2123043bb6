// A model can be cloned.
use xos_sync::prelude::*;

#[derive(XosModel, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
