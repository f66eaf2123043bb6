// A number of a way back goes with its name.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, reverse_number = 1001)]
    pub a: Link<Service>,
}

fn main() {}
