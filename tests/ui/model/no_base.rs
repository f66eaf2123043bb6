// A model inherits from another. What it inherits can be used all the same.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(number = 1)]
    pub to: String,
}

fn main() {
    println!("{} {}", Greeting::default().id, Greeting::default());
}
