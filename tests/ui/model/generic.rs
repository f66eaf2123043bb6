// A model has no parameters.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting<T> {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1)]
    pub to: T,
}

fn main() {}
