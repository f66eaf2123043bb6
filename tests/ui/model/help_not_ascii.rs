// Help goes to the core as xproto, which is ASCII.
use xos_sync::prelude::*;

/// Grüße.
#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
}

fn main() {}
