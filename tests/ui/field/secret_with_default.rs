// A secret has no default.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, default = "hodor")]
    pub password: Secret,
}

fn main() {}
