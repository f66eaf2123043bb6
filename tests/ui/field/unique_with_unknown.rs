// `unique_with` names a field.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, unique_with = "hello_form")]
    pub hello_to: String,
    #[xos(number = 2)]
    pub hello_from: String,
}

fn main() {}
