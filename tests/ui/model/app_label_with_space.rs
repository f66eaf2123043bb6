// An app_label is the name of a service.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello world")]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
