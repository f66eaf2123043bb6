// What an alias hides, the compiler sees.
use xos_sync::prelude::*;

type Flag = bool;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length = 5)]
    pub a: Flag,
}

fn main() {}
