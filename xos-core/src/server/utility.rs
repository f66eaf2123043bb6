//! The service `xos.utility`: logging in, what this core is, and what a synchronizer has yet to look at.

mod about;
mod behind;
mod dirty;
mod messages;
mod populated;
#[cfg(test)]
mod tests;

use super::World;
use super::call::{Answer, Call};
use super::small::{empty, reply, request};
use super::status::no_method;
use messages::{LoginRequest, LoginResponse};

pub(crate) use behind::Behind;

/// Answers a call of it.
pub(super) async fn answer(world: &World, method: &str, call: &Call) -> Answer {
    match method {
        "NoOp" => world.behind.check(call, world.core.catalog().generation).and_then(|()| empty()),
        "Login" => {
            let LoginRequest { username, password } = request(call)?;
            reply(&LoginResponse { sessionid: world.users.login(&username, &password, call.peer).await? })
        }
        "Logout" => {
            world.users.logout(call).await?;
            empty()
        }
        "GetVersion" => reply(&about::version()),
        "GetDatabaseInfo" => reply(&about::database(world).await),
        "GetXproto" => reply(&messages::XProtos { xproto: world.files.xproto().await? }),
        "AuthenticatedNoOp" => {
            world.users.caller(call).await?;
            empty()
        }
        "ListDirtyModels" => {
            let who = world.users.caller(call).await?;
            reply(&dirty::list(world, &who, request(call)?).await?)
        }
        "SetDirtyModels" => {
            let who = world.users.caller(call).await?;
            reply(&dirty::set(world, &who, request(call)?).await?)
        }
        "GetPopulatedServiceInstances" => {
            let who = world.users.caller(call).await?;
            reply(&populated::populated(world, &who, request(call)?).await?)
        }
        _ => Err(no_method()),
    }
}
