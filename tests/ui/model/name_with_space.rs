// A name in the core is a name.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(name = "Hello World")]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
