// A model is a struct.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub enum Greeting {
    Hello,
}

fn main() {}
