//! Loading and unloading models in a real core.
//!
//! A real core answers a load at once, stops 5 s later, and serves the new models when it is back, 25 to 40 s after
//! that. Its answer says nothing about which models it serves: only the schema does.

mod files;
mod messages;

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use self::messages::LoadStatus;
use super::CoreClient;
use super::status::{About, Code, Doing, explain};
use super::transport::{CallError, CallKind, CallMeta};
use crate::accessor::{Cleanup, LoadModels, Onboard, Onboarded};
use crate::core_version::CoreVersion;
use crate::error::{Error, ErrorKind, Result};
use crate::value::ObjectId;

/// How long the core may take to look at models. One that is asked to load wrong ones never answers.
const LOAD_DEADLINE: Duration = Duration::from_secs(120);

/// How long after an error that may pass the core is asked again.
const AGAIN: Duration = Duration::from_secs(10);

/// How long after the connection was lost the core is asked again, once it is back.
const SOON: Duration = Duration::from_millis(100);

/// How often the schema is read while models are waited for.
const LOOK: Duration = Duration::from_secs(2);

/// How often a log line says that something is still waited for.
const REMIND: Duration = Duration::from_secs(30);

/// How long a core that serves other models than it was given may be about to restart.
const RESTART: Duration = Duration::from_secs(90);

/// How much of what the core printed is told, in bytes from its end.
const OUTPUT: usize = 2000;

impl CoreClient {
    pub(super) async fn onboard_models(&self, what: &Onboard) -> Result<Onboarded> {
        match what {
            Onboard::Load(load) => self.load(load).await,
            Onboard::Unload { name, cleanup } => self.unload(name, *cleanup).await,
            Onboard::Status => Ok(Onboarded::Status(self.loaded().await?.services)),
        }
    }

    /// Loads models, and waits until the core serves them.
    async fn load(&self, load: &LoadModels) -> Result<Onboarded> {
        self.until_up().await;
        let served = self.served().remote().schema.clone();
        let own = files::own_models(load, &served);
        if own.is_empty() && load.files.xprotos.is_empty() {
            // Only models that every core has: loading nothing would restart the core for nothing.
            self.check_version(load).await?;
            self.models().learn(load.models.iter().cloned())?;
            return Ok(Onboarded::NothingChanged);
        }
        let files = files::of(load, &own, &served)?;
        let core_version = core_version(load)?;
        let body = Bytes::from(messages::load_models(&load.name, &load.version, &files, &core_version));
        self.models().learn(load.models.iter().cloned())?;
        let (status, before) = loop {
            let before = self.until_up().await;
            info!("Calling Loadmodels");
            match self.call("LoadModels", body.clone(), CallKind::Long(LOAD_DEADLINE)).await {
                Ok(answer) => break (load_status(&answer)?, before),
                Err(error) => self.load_failed(load, error).await?,
            }
        };
        info!(?status, "Back from Loadmodels");
        self.until_served(load, before).await?;
        Ok(match status {
            LoadStatus::NothingChanged => Onboarded::NothingChanged,
            _ => Onboarded::Loaded { models: own.iter().map(|model| model.name.clone()).collect() },
        })
    }

    /// Whether the core is of the version that a service asks for; otherwise it is the core that says so at a load.
    async fn check_version(&self, load: &LoadModels) -> Result<()> {
        let wanted = core_version(load)?;
        if wanted.is_empty() {
            return Ok(());
        }
        let path = PathAndQuery::from_static("/xos.utility/GetVersion");
        let answer = self.transport().call(path, Bytes::new(), CallMeta::default(), CallKind::Read).await;
        let answer = answer.map_err(|error| explain(error, &about(&load.name)))?;
        let actual = messages::version(&answer).map_err(|fault| unreadable(&fault))?;
        let wanted: CoreVersion = wanted.parse().map_err(|wrong| refused(load, wrong))?;
        if wanted.is_met_by(&actual) {
            return Ok(());
        }
        let service = &load.name;
        let problem = format!(
            "cannot be used: Service {service} is requesting core version {wanted} but actual version is {actual}"
        );
        Err(refused(load, problem))
    }

    /// Waits before a load is asked for again, when that is of use.
    async fn load_failed(&self, load: &LoadModels, error: CallError) -> Result<()> {
        match &error {
            CallError::NotSent { .. } | CallError::Lost { .. } => {
                warn!(e = %error, "the core went away during Loadmodels; it is asked again when it is back");
                // The transport has told so; nothing is gained by asking within the same moment.
                tokio::time::sleep(SOON).await;
                return Ok(());
            }
            CallError::Status { code, details } if *code == Code::INVALID_ARGUMENT => {
                return Err(refused(load, format!("cannot be loaded: {details}")));
            }
            CallError::Status { details, .. } if is_lasting(details) => {
                return Err(refused(load, format!("cannot be loaded: {details}")));
            }
            CallError::Deadline(_) | CallError::Status { .. } => {}
            _ => return Err(explain(error, &about(&load.name))),
        }
        error!(e = %error, seconds = AGAIN.as_secs(), "failed to onboard models; trying again");
        tokio::time::sleep(AGAIN).await;
        Ok(())
    }

    /// Waits until the core serves the models as they were given to it.
    async fn until_served(&self, load: &LoadModels, before: u64) -> Result<()> {
        let needed = files::needed_models(load);
        let mut state = self.state();
        let start = Instant::now();
        let mut reminded: Option<Instant> = None;
        loop {
            let served = self.served();
            let (missing, wrong) = files::differences(served.remote(), &needed);
            if missing.is_empty() && wrong.is_empty() && state.why_away().is_none() {
                return Ok(());
            }
            let restarted = state.generation().is_some_and(|now| now > before) || start.elapsed() > RESTART;
            if restarted && missing.is_empty() && !wrong.is_empty() {
                let problem = format!(
                    "are served by the core with other fields than those of this program: {}",
                    wrong.join("; ")
                );
                return Err(refused(load, problem));
            }
            if reminded.is_none_or(|reminded| reminded.elapsed() >= REMIND) {
                reminded = Some(Instant::now());
                let models = if missing.is_empty() { &wrong } else { &missing }.join(", ");
                info!(
                    models,
                    seconds = start.elapsed().as_secs(),
                    "waiting until the core serves the models; it restarts for that, which takes half a minute"
                );
                if restarted {
                    self.tell_why_not_served().await;
                }
            }
            let _ = tokio::time::timeout(LOOK, state.changed()).await;
            if state.why_away().is_none() {
                self.models().read_again().await;
            }
        }
    }

    /// A core whose models are broken says why when it is asked.
    async fn tell_why_not_served(&self) {
        match self.loaded().await {
            Ok(loaded) if loaded.model_status != 0 => {
                let (output, length) = (&loaded.model_output, loaded.model_output.len());
                let from = (length.saturating_sub(OUTPUT)..length).find(|at| output.is_char_boundary(*at));
                error!(
                    status = loaded.model_status,
                    output = &output[from.unwrap_or(length)..],
                    "the core cannot build its models"
                );
            }
            Ok(_) => {}
            Err(error) => debug!(e = %error, "the core does not say how its start went"),
        }
    }

    /// Unloads models; asked again when the core went away, as the second time changes nothing.
    async fn unload(&self, name: &str, cleanup: Cleanup) -> Result<Onboarded> {
        loop {
            self.until_up().await;
            match self.unload_once(name, cleanup).await {
                // Whoever is not let in now is not let in later.
                Err(error)
                    if error.is_interruption()
                        && !matches!(error.kind(), ErrorKind::Unauthenticated { .. }) =>
                {
                    warn!(e = %error, "the core went away during UnloadModels; it is asked again when it is back");
                    tokio::time::sleep(SOON).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn unload_once(&self, name: &str, cleanup: Cleanup) -> Result<Onboarded> {
        // A service that was never loaded would be answered with a success, and the core would restart for nothing.
        let loaded = self.loaded().await?;
        let Some(service) = loaded.services.iter().find(|service| service.name == name) else {
            return Ok(Onboarded::NothingChanged);
        };
        let body = Bytes::from(messages::unload_models(name, &service.version, cleanup));
        let answer = self
            .call("UnloadModels", body, CallKind::Long(LOAD_DEADLINE))
            .await
            .map_err(|error| explain(error, &about(name)))?;
        match load_status(&answer)? {
            LoadStatus::Success => Ok(Onboarded::Unloaded),
            LoadStatus::NothingChanged => Ok(Onboarded::NothingChanged),
            LoadStatus::TryAgain => Ok(Onboarded::TryAgain { left: 1 }),
            LoadStatus::Other(number) => {
                let problem = format!("cannot be unloaded: the core answered with status {number}");
                Err(ErrorKind::Onboarding { service: name.to_owned(), problem }.into())
            }
        }
    }

    async fn loaded(&self) -> Result<messages::Loaded> {
        let answer = self
            .call("GetLoadStatus", Bytes::new(), CallKind::Read)
            .await
            .map_err(|error| explain(error, &about("the services")))?;
        messages::loaded(&answer).map_err(|fault| unreadable(&fault))
    }

    /// A call of `xos.dynamicload`.
    async fn call(&self, method: &'static str, body: Bytes, kind: CallKind) -> Result<Bytes, CallError> {
        let path = match method {
            "LoadModels" => "/xos.dynamicload/LoadModels",
            "UnloadModels" => "/xos.dynamicload/UnloadModels",
            _ => "/xos.dynamicload/GetLoadStatus",
        };
        let meta = CallMeta { authenticated: true, ..CallMeta::default() };
        self.transport().call(PathAndQuery::from_static(path), body, meta, kind).await
    }
}

fn load_status(answer: &[u8]) -> Result<LoadStatus> {
    messages::load_status(answer).map_err(|fault| unreadable(&fault))
}

fn unreadable(fault: &dyn std::error::Error) -> Error {
    ErrorKind::Core { code: "INTERNAL", reason: format!("its answer cannot be read: {fault}") }.into()
}

/// Checked here: what the core does not understand is answered with an error of its code.
fn core_version(load: &LoadModels) -> Result<String> {
    match load.core_version.as_deref().map(str::trim).filter(|wanted| !wanted.is_empty()) {
        None => Ok(String::new()),
        Some(wanted) => {
            let wanted: CoreVersion =
                wanted.parse().map_err(|wrong| refused(load, format!("cannot be loaded: {wrong}")))?;
            Ok(wanted.as_str().to_owned())
        }
    }
}

/// Whether the core will say the same again, whenever it is asked.
fn is_lasting(details: &str) -> bool {
    [
        "illegal character in filename",
        "failed compile test",
        "is not valid SemVer string",
        "match_expr parameter",
    ]
    .iter()
    .any(|text| details.contains(text))
}

fn refused(load: &LoadModels, problem: String) -> Error {
    ErrorKind::Onboarding { service: load.name.clone(), problem }.into()
}

fn about(service: &str) -> About<'_> {
    About { model: service, id: ObjectId::UNSET, doing: Doing::Onboard }
}
