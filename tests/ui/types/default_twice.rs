// The derive writes Default.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug, Default)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
