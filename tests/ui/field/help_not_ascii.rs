// Help goes to the core as xproto, which is ASCII.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    /// Who is greeted – by name
    #[xos(number = 1)]
    pub a: String,
}

fn main() {}
