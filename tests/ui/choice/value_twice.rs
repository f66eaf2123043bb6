// Values are different.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    Data,
    #[xos(value = "data")]
    Control,
    Other(String),
}

fn main() {}
