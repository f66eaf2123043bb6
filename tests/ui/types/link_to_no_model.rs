// A link leads to a model.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1)]
    pub a: Link<String>,
}

fn main() {}
