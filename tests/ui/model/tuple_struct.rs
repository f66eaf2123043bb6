// A model has named fields.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting(String);

fn main() {}
