// A misspelt attribute gets a suggestion.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_lenght = 200)]
    pub a: String,
}

fn main() {}
