// A misspelt attribute gets a suggestion.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    #[xos(lable = "Data Plane")]
    Data,
    Other(String),
}

fn main() {}
