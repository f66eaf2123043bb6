// The field of the base hides no inherited one.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub name: Service,
}

fn main() {}
