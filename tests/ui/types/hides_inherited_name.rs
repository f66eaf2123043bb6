// No field has the name that an inherited one has in the core.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: Service,
    #[xos(number = 1, name = "versionNumber")]
    pub a: String,
}

fn main() {}
