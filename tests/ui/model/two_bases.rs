// A model has one base.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub service: Service,
    #[xos(base)]
    pub slice: Slice,
}

fn main() {}
