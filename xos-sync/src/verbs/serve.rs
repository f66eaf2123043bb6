//! `core`: serves the core alone, without steps.

use tracing::{Instrument as _, info};

use crate::config::Config;
use crate::core::Core;
use crate::error::{ErrorKind, Result};
use crate::run::{load_models, span_of};
use crate::synchronizer::Synchronizer;

/// Serves the core with the models of this program until it is told to stop.
pub(super) async fn core(config: &Config, service: &Synchronizer, name: &str) -> Result<()> {
    crate::logging::init(config)?;
    let mut stop = std::pin::pin!(crate::signals::stop());
    let opening = Core::open(config, name).instrument(span_of(name));
    let core = tokio::select! {
        biased;
        () = stop.as_mut() => return Ok(()),
        core = opening => core?,
    };
    let end = serve(&core, config, service, name, stop).instrument(span_of(name)).await;
    core.close();
    end
}

async fn serve(
    core: &Core,
    config: &Config,
    service: &Synchronizer,
    name: &str,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    if core.embedded.is_none() {
        let problem = "accessor.endpoint: that core is served by another program; the verb core serves an embedded \
                       one (accessor.kind: embedded)";
        return Err(ErrorKind::Verb(problem.to_owned()).into());
    }
    load_models(core.accessor.as_ref(), config, service, name).await?;
    let served = crate::served::serve(core, config, name, None).await?;
    if !served.is_open() {
        let problem = "nothing could reach this core; name a socket with accessor.socket, or an address with \
                       accessor.listen";
        return Err(ErrorKind::Verb(problem.to_owned()).into());
    }
    info!("the core is served alone: no steps run");
    stop.await;
    info!("stopping");
    served.stop().await;
    Ok(())
}
