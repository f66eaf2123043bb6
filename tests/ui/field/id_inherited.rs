// The id is inherited.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(id)]
    pub id: ObjectId,
}

fn main() {}
