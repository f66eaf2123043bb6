// A default is one of the choices.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, default = "genric")]
    pub a: ServiceKind,
}

fn main() {}
