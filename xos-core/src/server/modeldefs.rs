//! The service `xos.modeldefs`: what the models are, for programs that make forms of them.

mod describe;
mod messages;
#[cfg(test)]
mod tests;

use super::World;
use super::call::{Answer, Call};
use super::small::reply;
use super::status::{malformed, no_method};
use super::wire::read_empty;
use messages::ModelDefs;
use xos_model_client::ModelAccessor as _;

/// Answers a call of it.
pub(super) async fn answer(world: &World, method: &str, call: &Call) -> Answer {
    match method {
        "ListModelDefs" => {
            world.users.caller(call).await?;
            read_empty(&call.message).map_err(malformed)?;
            reply(&ModelDefs { items: describe::models(&world.core.schema()) })
        }
        _ => Err(no_method()),
    }
}
