// The owner class is a type.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(owner_class = "Service")]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
