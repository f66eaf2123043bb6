// A choice is a plain value.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    Data { size: u32 },
    Control(u32),
    Other(String),
}

fn main() {}
