// One variant holds all other values.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    Data,
    Other(String),
    Unknown(String),
}

fn main() {}
