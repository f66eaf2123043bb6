//! The service `xos.xos`: the objects of each model.

use super::World;
use super::call::{Answer, Call};
use super::status::no_method;

/// How calls become reads and writes.
pub(crate) struct Objects {}

impl Objects {
    pub(crate) fn new() -> Self {
        Objects {}
    }
}

/// Answers a call of it.
pub(super) async fn answer(_world: &World, _method: &str, _call: &Call) -> Answer {
    Err(no_method())
}
