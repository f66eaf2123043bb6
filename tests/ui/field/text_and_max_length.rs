// `text` means unlimited.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, text, max_length = 5)]
    pub a: String,
}

fn main() {}
