// A default fits into its field.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, default = -1)]
    pub a: u32,
}

fn main() {}
