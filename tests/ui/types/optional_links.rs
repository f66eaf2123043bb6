// A list of links is never absent.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1)]
    pub a: Option<Links<Slice>>,
}

fn main() {}
