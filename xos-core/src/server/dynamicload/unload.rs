//! `UnloadModels`.

use tonic::Status as GrpcStatus;
use xos_model_client::{
    Cleanup, Error, ErrorKind, ModelAccessor as _, Onboard, Onboarded, Page, Query, QueryKind,
};

use super::messages::{Status, UnloadModelsRequest};
use crate::server::World;
use crate::server::files::told;

/// Unloads the models of a service, and forgets its files.
pub(super) async fn unload(world: &World, request: UnloadModelsRequest) -> Result<Status, GrpcStatus> {
    let cleanup = match request.cleanup_behavior {
        0 => Cleanup::RequireClean,
        1 => Cleanup::AutomaticallyClean,
        2 => Cleanup::Purge,
        other => {
            return Err(GrpcStatus::invalid_argument(format!(
                "cleanup_behavior is REQUIRE_CLEAN (0), AUTOMATICALLY_CLEAN (1) or PURGE (2), found {other}"
            )));
        }
    };
    let name = request.name;
    match world.core.onboard(&Onboard::Unload { name: name.clone(), cleanup }).await {
        Ok(Onboarded::Unloaded) => world.files.follow(&world.policies).await.map(|()| Status::Success),
        Ok(Onboarded::TryAgain { .. }) => Ok(Status::TryAgain),
        Ok(_) => Ok(Status::NothingChanged),
        Err(error) if cleanup == Cleanup::RequireClean && is_refusal(&error) => {
            Err(not_clean(world, &name).await?.unwrap_or_else(|| told(&error)))
        }
        Err(error) => Err(told(&error)),
    }
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Onboarding { .. })
}

/// What the core says of models that cannot be unloaded as they have objects; none, when they have none.
async fn not_clean(world: &World, service: &str) -> Result<Option<GrpcStatus>, GrpcStatus> {
    let catalog = world.core.catalog();
    let of_it = |name: &str| {
        let mut stored = catalog.stored.iter().flatten();
        stored.any(|model| model.service == service && model.def.name == name)
    };
    let mut status = None;
    for model in catalog.schema.models().iter().filter(|model| !model.def.is_abstract) {
        if !of_it(model.name()) {
            continue;
        }
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            let query = Query::live(model.shape.clone()).of_kind(kind);
            let found = world.core.find(&query, Page::first(1)).await.map_err(|error| told(&error))?;
            if found.records.is_empty() {
                continue;
            }
            if kind == QueryKind::Live {
                return Ok(Some(GrpcStatus::already_exists("ERROR_LIVE_MODELS")));
            }
            status = Some(GrpcStatus::already_exists("ERROR_DELETION_IN_PROGRESS"));
        }
    }
    Ok(status)
}
