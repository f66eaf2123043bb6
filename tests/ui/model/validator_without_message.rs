// A validator has a policy and a message.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(validator("no_spaces"))]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
