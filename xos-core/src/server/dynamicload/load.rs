//! `LoadModels`.
//!
//! The models are served when the call is answered; nothing is restarted. The store changes models and files in one
//! transaction, so a core that dies in between has the old ones of both, and the same call made again loads them.

use std::sync::Arc;

use tonic::Status as GrpcStatus;
use xos_model_client::{
    LoadModels, ModelAccessor as _, ModelDef, Onboard, Onboarded, Schema, ServiceFile, ServiceFiles, xproto,
};

use super::core_version;
use super::messages::{LoadModelsRequest, Status};
use crate::server::World;
use crate::server::files::{short, told};
use crate::server::status::exception;

/// Loads the models and files of a service.
pub(super) async fn load(world: &World, mut request: LoadModelsRequest) -> Result<Status, GrpcStatus> {
    let files = request.take_files();
    let LoadModelsRequest { name, version, core_version, .. } = request;
    core_version::check(&name, &core_version)?;
    check_names(&files)?;
    let schema = world.core.schema();
    let work = move || models_of(&files.xprotos, &schema).map(|models| (models, files));
    let (mut models, files) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| GrpcStatus::internal(format!("the xproto could not be read: {error}")))??;
    for model in &mut models {
        model.version = version.clone().into();
    }
    let before = world.files.of(&name).await?;
    // What a core makes a fingerprint of. The other files are kept when they differ, and that is all.
    let known = before.is_some_and(|kept| {
        !kept.unloaded
            && kept.version == version
            && kept.files.xprotos == files.xprotos
            && kept.files.decls == files.decls
    });
    tell_what_does_not_run(&name, &models, &files);
    let load = LoadModels { name, version, models, core_version: None, files };
    // Also when all is known: another service may have replaced a model meanwhile.
    let outcome = world.core.onboard(&Onboard::Load(load)).await.map_err(|error| told(&error))?;
    world.files.follow(&world.policies).await?;
    Ok(if known && outcome == Onboarded::NothingChanged { Status::NothingChanged } else { Status::Success })
}

/// The core takes letters, digits, `_`, `-` and `.` in the name of a file.
fn check_names(files: &ServiceFiles) -> Result<(), GrpcStatus> {
    let ServiceFiles { xprotos, decls, attics, convenience_methods, migrations } = files;
    let good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    for file in [xprotos, decls, attics, convenience_methods, migrations].into_iter().flatten() {
        if !file.name.chars().all(good) {
            return Err(exception(short(format!("illegal character in filename {}", file.name))));
        }
    }
    Ok(())
}

/// The models in these files, as they fit to those that are loaded.
fn models_of(files: &[ServiceFile], schema: &Arc<Schema>) -> Result<Vec<ModelDef>, GrpcStatus> {
    let texts = files.iter().map(|file| (file.name.as_str(), file.contents.as_str()));
    let refused = |problem: String| GrpcStatus::invalid_argument(short(problem));
    let document = xproto::parse_files(texts).map_err(|errors| refused(errors.to_string()))?;
    let known: Vec<&ModelDef> =
        schema.models().iter().map(|model| &model.def).filter(|def| !def.name.is_empty()).collect();
    let findings = document.check_against(known.iter().copied());
    let refusals: Vec<String> = findings.refusals().map(ToString::to_string).collect();
    if !refusals.is_empty() {
        return Err(refused(refusals.join("\n")));
    }
    document.models_against(known).map_err(|findings| refused(findings.to_string()))
}

fn tell_what_does_not_run(service: &str, models: &[ModelDef], files: &ServiceFiles) {
    let python = super::load_status::with_python(models);
    if !python.is_empty() {
        tracing::warn!(
            service,
            models = python.join(", "),
            "these models have Python code of their own, which this core keeps and does not run"
        );
    }
    let count = files.decls.len() + files.attics.len() + files.migrations.len();
    if count > 0 {
        tracing::info!(
            service,
            files = count,
            "Python files are kept and served back; this core does not run them"
        );
    }
}
