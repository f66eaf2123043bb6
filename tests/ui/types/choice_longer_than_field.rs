// Every choice has room in its field.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length = 5)]
    pub a: ServiceKind,
}

fn main() {}
