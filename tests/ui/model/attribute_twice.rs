// An attribute is given once.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", app_label = "hello")]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
