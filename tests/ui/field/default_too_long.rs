// A default is not longer than the field.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length = 3, default = "Arya")]
    pub a: String,
}

fn main() {}
