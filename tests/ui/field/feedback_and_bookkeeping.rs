// A field is kept by steps or by the core.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, feedback, bookkeeping)]
    pub a: String,
}

fn main() {}
