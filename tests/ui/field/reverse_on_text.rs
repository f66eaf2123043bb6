// A way back belongs to a link.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, reverse = "greetings")]
    pub a: String,
}

fn main() {}
