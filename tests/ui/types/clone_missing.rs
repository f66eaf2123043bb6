// A model can be cloned and shown.
use xos_sync::prelude::*;

#[derive(XosModel)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
