// A value is not empty.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    #[xos(value = "")]
    Data,
    Other(String),
}

fn main() {}
