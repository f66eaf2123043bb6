// `#[xos]` has a list.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos = "hello-world"]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
