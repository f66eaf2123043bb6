// Choices are an enum.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub struct Kind {
    pub a: String,
}

fn main() {}
