//! The service `xos.dynamicload`: models and files of services are loaded and unloaded while the core runs.

mod core_version;
mod load;
mod load_status;
mod messages;
#[cfg(test)]
mod tests;
mod unload;

use tonic::Status;

use super::World;
use super::call::{Answer, Call};
use super::small::{reply, request};
use super::status::{no_method, permission_denied};
use super::users::Who;
use messages::{File, ListConvenienceMethodsReply, LoadModelsReply};

/// Answers a call of it. All methods need a caller who is known; loading and unloading need an administrator.
pub(super) async fn answer(world: &World, method: &str, call: &Call) -> Answer {
    match method {
        "LoadModels" => {
            admin(world, call).await?;
            load::load(world, request(call)?).await.and_then(status)
        }
        "UnloadModels" => {
            admin(world, call).await?;
            unload::unload(world, request(call)?).await.and_then(status)
        }
        "GetLoadStatus" => {
            world.users.caller(call).await?;
            reply(&load_status::load_status(world).await?)
        }
        "GetConvenienceMethods" => {
            world.users.caller(call).await?;
            let files = world.files.convenience_methods().await?;
            let convenience_methods = files.into_iter().map(File::of).collect();
            reply(&ListConvenienceMethodsReply { convenience_methods })
        }
        _ => Err(no_method()),
    }
}

/// Fails when the caller is no administrator. (A core 4.0.4 lets every user load models, which then run as its code
/// and can drop what others have: here nobody gets that by a mere account.)
async fn admin(world: &World, call: &Call) -> Result<(), Status> {
    match world.users.caller(call).await? {
        Who::Local => Ok(()),
        Who::User(person) if person.is_admin => Ok(()),
        Who::User(person) => Err(permission_denied(&format!(
            "User {} cannot load or unload models: only an administrator may",
            person.email
        ))),
    }
}

fn status(status: messages::Status) -> Answer {
    reply(&LoadModelsReply { status: status.into() })
}
