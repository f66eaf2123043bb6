// A model without base keeps what was loaded.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Root {
    #[xos(id)]
    pub id: ObjectId,
}

fn main() {}
