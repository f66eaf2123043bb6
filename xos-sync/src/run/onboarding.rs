//! The models of a synchronizer, on their way into the core and out of it.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;
use tracing::info;
use xos_model_client::{Cleanup, Cursor, LoadModels, ModelAccessor, Onboard, Onboarded, ServiceFiles};

use super::{ONCE_ROUNDS, Run, unless};
use crate::config::Config;
use crate::error::{ErrorKind, Result};
use crate::shell::lines;
use crate::synchronizer::Synchronizer;

/// How long after a remote core that still has objects is asked again to unload their models.
const UNLOAD_AGAIN: Duration = Duration::from_secs(5);

impl Run {
    /// Loads the models, and looks for those that must be there.
    pub(super) async fn load(&self) -> Result<()> {
        let version = self.service.version_or(&self.config);
        let core_version = self.config.core_version.clone();
        lines::version(&version, core_version.as_deref());
        let files = if self.is_remote { files(&self.config)? } else { ServiceFiles::default() };
        let onboarded =
            onboard(self.accessor.as_ref(), &self.config, &self.service, &self.name, files).await?;
        match onboarded {
            Onboarded::Loaded { models } => info!(models = models.join(", "), "models loaded"),
            _ => tracing::debug!("the models are loaded already"),
        }
        let own = self.service.models();
        let found = self.required_models().await?;
        let own = || own.iter().map(|model| model.name.to_string()).collect();
        lines::required_models(&if found.is_empty() { own() } else { found });
        Ok(())
    }

    /// The models that must be there. Those that another program brings along are waited for.
    async fn required_models(&self) -> Result<Vec<String>> {
        let required: Vec<String> =
            self.config.required_models.iter().map(|model| model.trim().to_owned()).collect();
        let missing = || {
            let schema = self.accessor.schema();
            required.iter().filter(|model| schema.model(model).is_none()).cloned().collect::<Vec<String>>()
        };
        if missing().is_empty() {
            return Ok(required);
        }
        if !self.is_remote {
            return Err(ErrorKind::MissingModels(missing()).into());
        }
        let mut changes = self.accessor.feed(Cursor::default(), &[]);
        let mut told = Vec::new();
        loop {
            let missing = missing();
            if missing.is_empty() {
                return Ok(required);
            }
            if missing != told {
                lines::models_missing(&missing);
                told = missing;
            }
            // The core restarts when models are loaded: then it is asked again.
            changes.next().await;
        }
    }

    /// Takes the models out of the core. Their objects are deleted first, by the steps; the recipe does not count any more.
    pub(super) async fn unload(mut self, stop: impl Future<Output = ()> + Send) -> Result<()> {
        let mut stop = std::pin::pin!(stop);
        lines::unloading(!self.service.pull_steps.is_empty(), !self.service.event_steps.is_empty());
        info!("Trying for an easy unload_models");
        let mut left = match unless(stop.as_mut(), self.ask_to_unload()).await {
            Some(left) => left?,
            None => return Ok(()),
        };
        if left > 0 {
            info!(left, "objects of these models are deleted first");
            self.config.once = true;
        }
        let mut round = 0;
        while left > 0 {
            // In another process the core removes objects in its own time, and others may have to let go of them.
            round += 1;
            if !self.is_remote && round > ONCE_ROUNDS {
                return Err(ErrorKind::NotUnloaded { left }.into());
            }
            let mut asked_to_stop = std::pin::pin!(futures_util::future::maybe_done(stop.as_mut()));
            self.synchronize(asked_to_stop.as_mut()).await?;
            if asked_to_stop.as_mut().take_output().is_some() {
                return Err(ErrorKind::NotUnloaded { left }.into());
            }
            left = match unless(stop.as_mut(), self.ask_to_unload()).await {
                Some(left) => left?,
                None => return Err(ErrorKind::NotUnloaded { left }.into()),
            };
            if left > 0 && self.is_remote {
                info!(seconds = UNLOAD_AGAIN.as_secs(), "TRYAGAIN received. Expect to try again");
                if unless(stop.as_mut(), tokio::time::sleep(UNLOAD_AGAIN)).await.is_none() {
                    return Err(ErrorKind::NotUnloaded { left }.into());
                }
            }
        }
        info!("Models successfully unloaded. Synchronizer exiting");
        Ok(())
    }

    /// How many objects are in the way of unloading the models, as far as known; they are being deleted.
    async fn ask_to_unload(&self) -> Result<u64> {
        let what = Onboard::Unload { name: self.name.clone(), cleanup: Cleanup::AutomaticallyClean };
        match self.accessor.onboard(&what).await? {
            Onboarded::TryAgain { left } => Ok(left),
            _ => Ok(0),
        }
    }
}

/// Loads the models of a synchronizer into a core that nobody else has.
pub(crate) async fn load_models(
    accessor: &dyn ModelAccessor,
    config: &Config,
    service: &Synchronizer,
    name: &str,
) -> Result<()> {
    onboard(accessor, config, service, name, ServiceFiles::default()).await.map(drop)
}

async fn onboard(
    accessor: &dyn ModelAccessor,
    config: &Config,
    service: &Synchronizer,
    name: &str,
    files: ServiceFiles,
) -> Result<Onboarded> {
    service.check()?;
    let load = LoadModels {
        name: name.to_owned(),
        version: service.version_or(config),
        models: service.models().into_iter().cloned().collect(),
        core_version: config.core_version.clone(),
        files,
    };
    Ok(accessor.onboard(&Onboard::Load(load)).await?)
}

/// What goes into a remote core beside the program's own models.
#[cfg_attr(
    not(feature = "grpc"),
    allow(clippy::unnecessary_wraps, reason = "there is no remote core to send them to")
)]
fn files(config: &Config) -> Result<ServiceFiles> {
    match &config.models_dir {
        #[cfg(feature = "grpc")]
        Some(folder) => crate::remote::service_files(folder),
        _ => Ok(ServiceFiles::default()),
    }
}
