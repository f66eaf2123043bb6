// Reverse numbers are 1000 to 1899.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, reverse = "greetings", reverse_number = 5)]
    pub a: Link<Service>,
}

fn main() {}
