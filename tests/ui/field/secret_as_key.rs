// A secret is no key of recipes.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, tosca_key)]
    pub password: Secret,
}

fn main() {}
