// No field hides an inherited one.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: Service,
    #[xos(number = 1)]
    pub name: String,
}

fn main() {}
