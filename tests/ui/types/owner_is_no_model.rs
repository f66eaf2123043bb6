// The owner is a model.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(owner_class = String)]
pub struct Greeting {
    #[xos(base)]
    pub base: ServiceInstance,
}

fn main() {}
