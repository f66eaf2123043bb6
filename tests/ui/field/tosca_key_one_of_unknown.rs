// `tosca_key_one_of` names a field.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, tosca_key_one_of = "colour")]
    pub hello_to: String,
    #[xos(number = 2)]
    pub hello_from: String,
}

fn main() {}
