//! `schema.SchemaService`: the models as protobuf, for clients that make their messages of it. Nobody has to log in.

use super::World;
use super::call::{Answer, Call};
use super::status::{malformed, no_method};
use super::wire::read_empty;

/// Answers a call of it.
pub(super) async fn answer(world: &World, method: &str, call: &Call) -> Answer {
    if method != "GetSchema" {
        return Err(no_method());
    }
    read_empty(&call.message).map_err(malformed)?;
    world.behind.reads(call, world.core.catalog().generation);
    let served = world.objects.served(&world.core);
    Ok(served.descriptors().await?.answer())
}
