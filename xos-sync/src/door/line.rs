//! Through the socket of another process: its core, and what its program answers beside the objects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::uri::PathAndQuery;
use serde_json::json;
use tokio::time::Instant;
use xos_core::{RecipeOutcome, Recipes};
use xos_model_client::grpc::CoreOptions;
use xos_model_client::grpc::status::Code;
use xos_model_client::grpc::transport::{CallError, CallKind, CallMeta, Transport};
use xos_model_client::tosca::{Applied, Memory};
use xos_model_client::{Error, ErrorKind as CoreErrorKind};

use super::Door;
use crate::config::{Config, CoreChoice};
use crate::core::Core;
use crate::error::{ErrorKind, Result};
use crate::socket::{Found, look, short};

/// How long a program that has the file and does not answer yet is waited for: it may be starting.
const STARTING: Duration = Duration::from_secs(3);

/// How often it is looked whether it answers.
const AGAIN: Duration = Duration::from_millis(50);

/// How long another program may take to apply a recipe.
const RECIPE: Duration = Duration::from_secs(300);

/// How long a program that listens may take to say what its models are.
const BUSY: Duration = Duration::from_secs(60);

/// The service by which a synchronizer explains.
pub(crate) const ENGINE: &str = "xos_sync.Engine";

/// Through a socket, if somebody is at its other end.
pub(super) async fn through(config: &Config, socket: &Path) -> Result<Option<Door>> {
    let path = socket.to_owned();
    // A listener whose queue is full blocks.
    match tokio::task::spawn_blocking(move || look(&path)).await.unwrap_or(Found::Nobody) {
        Found::Served => dial(config, format!("unix:{}", short(socket).display())).await.map(Some),
        Found::Nobody => Ok(None),
        Found::Forbidden(error) => {
            let problem = format!("cannot be opened: {error}; it belongs to the user whose program runs");
            Err(ErrorKind::File { path: socket.display().to_string(), problem }.into())
        }
    }
}

/// Through the socket, else the file is opened. A program that has the file but no socket yet is waited for.
pub(super) async fn through_or_open(config: &Config, name: &str, socket: &Path) -> Result<Door> {
    let until = Instant::now() + STARTING;
    loop {
        if let Some(door) = through(config, socket).await? {
            return Ok(door);
        }
        match Core::open(config, name).await {
            Ok(core) => return Ok(Door::Mine(core)),
            Err(error) if !matches!(error.kind(), ErrorKind::InUse { .. }) || Instant::now() >= until => {
                return Err(error);
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Through the socket that `accessor.endpoint` names.
pub(super) async fn named(config: &Config, endpoint: String) -> Result<Door> {
    let path = endpoint.trim_start_matches("unix:");
    // `unix:///path` is `unix:/path`.
    let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
    if let Some(door) = through(config, &path).await? {
        return Ok(door);
    }
    let problem = "nothing answers on this socket: start the program that has the database (its verb core serves the \
                   core alone), or correct accessor.endpoint";
    Err(ErrorKind::File { path: path.display().to_string(), problem: problem.to_owned() }.into())
}

async fn dial(config: &Config, endpoint: String) -> Result<Door> {
    let line = Line::new(config, endpoint.clone())?;
    let client = crate::remote::connect_within(config, endpoint, BUSY).await?;
    Ok(Door::Socket { accessor: Arc::new(client), line })
}

/// What the program at the other end of a socket answers beside the objects.
pub(crate) struct Line {
    transport: Transport,
    endpoint: String,
}

impl Line {
    fn new(config: &Config, endpoint: String) -> Result<Self> {
        let options: CoreOptions = crate::remote::options(config, endpoint.clone());
        Ok(Line { transport: Transport::new(options)?, endpoint })
    }

    /// Where it leads.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How the engine of that program sees an object; `None` when it has no engine.
    ///
    /// # Errors
    ///
    /// The program went away, or its engine does not answer.
    pub(crate) async fn explain(&self, model: &str, id: i32) -> Result<Option<String>, Error> {
        let message = json!({"model": model, "id": id}).to_string().into_bytes();
        let answer = self.call(ENGINE, "Explain", message, CallKind::Read).await?;
        Ok(answer.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Has that program apply a recipe; `None` when it cannot.
    ///
    /// # Errors
    ///
    /// The program went away.
    pub(crate) async fn apply(
        &self,
        text: &str,
        path: &Path,
        dry_run: bool,
    ) -> Result<Option<RecipeOutcome>, Error> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let message =
            Recipes::request(text, &absolute.to_string_lossy(), &path.display().to_string(), dry_run);
        // Applying a recipe twice is applying it once.
        let Some(answer) = self.call(Recipes::SERVICE, "Apply", message, CallKind::Long(RECIPE)).await?
        else {
            return Ok(None);
        };
        let unreadable = || CoreErrorKind::Core {
            code: "UNKNOWN",
            reason: "its answer is that of another version; apply the recipe with that program".to_owned(),
        };
        Ok(Some(RecipeOutcome::from_message(&answer).ok_or_else(unreadable)?))
    }

    async fn call(
        &self,
        service: &str,
        method: &str,
        message: Vec<u8>,
        kind: CallKind,
    ) -> Result<Option<Vec<u8>>, Error> {
        let path = PathAndQuery::from_maybe_shared(format!("/{service}/{method}"))
            .map_err(|error| CoreErrorKind::Unsupported(error.to_string()))?;
        match self.transport.call(path, Bytes::from(message), CallMeta::default(), kind).await {
            Ok(answer) => Ok(Some(answer.to_vec())),
            Err(CallError::Status { code, .. }) if code == Code::UNIMPLEMENTED => Ok(None),
            Err(CallError::Status { details, .. }) => {
                Err(CoreErrorKind::Core { code: "FAILED_PRECONDITION", reason: details }.into())
            }
            Err(error) => Err(Error::away(error.to_string())),
        }
    }
}

/// What a recipe made, remembered in the database at the other end of a socket; `None` for another kind of core, and for
/// one that cannot remember.
pub(crate) async fn memory_beside_objects(
    config: &Config,
    name: &str,
    recipe: &Path,
) -> Result<Option<Arc<dyn Memory>>> {
    let CoreChoice::Remote { endpoint } = config.core(name) else { return Ok(None) };
    if !endpoint.starts_with("unix:") {
        return Ok(None);
    }
    let path = std::path::absolute(recipe).unwrap_or_else(|_| recipe.to_owned());
    let memory = FarMemory { line: Line::new(config, endpoint)?, path: path.to_string_lossy().into_owned() };
    Ok(match memory.ask().await? {
        Some(_) => Some(Arc::new(memory)),
        None => None,
    })
}

/// What a recipe made, remembered by the process that has the database.
struct FarMemory {
    line: Line,
    path: String,
}

impl FarMemory {
    async fn ask(&self) -> Result<Option<Vec<u8>>, Error> {
        let message = json!({"path": self.path}).to_string().into_bytes();
        self.line.call(Recipes::SERVICE, "Load", message, CallKind::Read).await
    }
}

#[async_trait]
impl Memory for FarMemory {
    async fn load(&self) -> Result<Applied, Error> {
        let Some(text) = self.ask().await? else {
            return Err(CoreErrorKind::Unsupported("remember what recipes made".to_owned()).into());
        };
        serde_json::from_slice(&text).map_err(|error| {
            CoreErrorKind::Core {
                code: "UNKNOWN",
                reason: format!("what it remembers is unreadable: {error}"),
            }
            .into()
        })
    }

    async fn store(&self, applied: &Applied) -> Result<(), Error> {
        let message = json!({"path": self.path, "applied": applied}).to_string().into_bytes();
        match self.line.call(Recipes::SERVICE, "Store", message, CallKind::Repeatable).await? {
            Some(_) => Ok(()),
            None => Err(CoreErrorKind::Unsupported("remember what recipes made".to_owned()).into()),
        }
    }
}
