//! The service of this name.

use super::World;
use super::call::{Answer, Call};
use super::status::no_method;

/// Answers a call of it.
pub(super) async fn answer(_world: &World, _method: &str, _call: &Call) -> Answer {
    Err(no_method())
}
