// Choices with a mistake still are choices.
use xos_sync::prelude::*;

#[derive(XosChoice, Clone, Debug, PartialEq)]
pub enum Kind {
    Data,
}

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1)]
    pub kind: Option<Kind>,
}

fn main() {}
