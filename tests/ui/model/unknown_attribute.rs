// Attributes have names, and a misspelt one gets a suggestion.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(app_lable = "hello-world")]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
