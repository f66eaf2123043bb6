// A newer core may have more values.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    Data,
}

fn main() {}
