//! What a synchronizer is told before it starts: config file, override file, environment and command line.
//!
//! [`Config::from_args`] is what a `main` calls. It reads, each later source over the earlier ones:
//!
//! 1. the built-in defaults: the embedded core, its database in the current folder;
//! 2. the config file: `-C PATH`, else the one `XOS_CONFIG_FILE` names, else none;
//! 3. the override file: the one `XOS_OVERRIDE_CONFIG_FILE` names, else `mounted_config.yaml` beside the config
//!    file, if there is one;
//! 4. environment variables, one per key: `XOS_SYNC_ENGINE__CONCURRENCY=8` is `engine.concurrency: 8`;
//! 5. the flags of [`Args`].
//!
//! Every key, with type, unit and default, is in `docs/config.md`, which is generated from the table that reads
//! them ([`reference()`]). A key that the Python framework knew and that means nothing here is accepted and becomes
//! one of [`Config::warnings`]; an unknown key, a wrong type or a value out of range is a [`ConfigError`] that names
//! key, file and line. All mistakes are reported at once.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use xos_sync::config::Config;
//!
//! let mut config = Config::in_memory();
//! config.engine.first_retry = Duration::from_millis(10);
//! assert_eq!(config.engine.concurrency, 64);
//! ```

use std::path::{Path, PathBuf};

mod accessor;
mod ansible;
mod dictionary;
mod engine;
mod environment;
mod error;
mod event_bus;
mod keys;
pub(crate) mod load;
mod logging;
mod node;
pub(crate) mod postgres;
mod reference;
mod serving;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tree;

/// YAML with the places of its keys, for other files than that of the configuration.
#[cfg(feature = "ansible")]
pub(crate) mod yaml {
    pub(crate) use super::error::Origin;
    pub(crate) use super::node::{Entry, Node, Value};
}

pub use self::accessor::{Accessor, AccessorKind, CoreChoice, DEFAULT_ENDPOINT, Durability, Login};
pub use self::ansible::{Ansible, Proxy};
pub use self::engine::Engine;
pub use self::environment::Environment;
pub use self::error::{ConfigError, EXIT_CONFIG, Origin, Problem};
pub use self::event_bus::{EventBus, EventBusKind, SaslMechanism};
pub use self::logging::{Color, LogFormat, LogLevel, LogOutput, LogTarget, Logging, Rotation};
pub use self::reference::reference;
pub use self::serving::Serving;
use crate::args::{Args, Verb};

/// Everything a synchronizer is told from outside; its models and steps are named in the program.
///
/// Made by [`from_args`](Config::from_args), [`load`](Config::load), [`embedded`](Config::embedded) or
/// [`in_memory`](Config::in_memory); the fields may be changed afterwards. It is safe to print: the password never
/// shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Name of the service; where it is absent, the name given to the synchronizer in the program counts.
    pub name: Option<String>,
    /// Semantic version requirement that the core must meet, e.g. `>=4.0.0`, or two joined by `~`.
    pub core_version: Option<String>,
    /// Whether the models are to be in the core, or to be taken out of it.
    pub desired_state: DesiredState,
    /// File with dependencies between models beside their links, `{"A": [["B", "b", "a"]]}`. Not read here.
    pub dependency_graph: Option<PathBuf>,
    /// Folder with the files of an existing service, for a remote core.
    pub models_dir: Option<PathBuf>,
    /// Folder of the Python framework's sync steps; only named in a log line.
    pub steps_dir: Option<String>,
    /// Folder of the Python framework's pull steps; only named in a log line.
    pub pull_steps_dir: Option<String>,
    /// Folder of the Python framework's event steps; only named in a log line.
    pub event_steps_dir: Option<String>,
    /// Folder of the Python framework's model policies; only named in a log line.
    pub model_policies_dir: Option<String>,
    /// Models that must be in the core before the first step runs.
    pub required_models: Vec<String>,
    /// Which core to use and how to reach it.
    pub accessor: Accessor,
    /// How the engine runs steps.
    pub engine: Engine,
    /// How programs tell each other what happened.
    pub event_bus: EventBus,
    /// How playbooks are run.
    pub ansible: Ansible,
    /// Where log lines go, and how.
    pub logging: Logging,
    /// Stop as soon as nothing is ready (`--once`).
    pub once: bool,
    /// What to do: run, unless the command line says something else.
    pub verb: Verb,
    /// The config file this came from, as it was named.
    pub file: Option<PathBuf>,
    /// What was accepted but means nothing here; [`logging::init`](crate::logging::init) logs it.
    pub warnings: Vec<Problem>,
}

/// Whether the models are to be in the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DesiredState {
    /// Load the models and synchronize: the default.
    #[default]
    Load,
    /// Take the models out of the core and stop.
    Unload,
}

impl Default for Config {
    /// The embedded core with its database `<name>.db` in the current folder; reads no file and no environment.
    fn default() -> Self {
        Self {
            name: None,
            core_version: None,
            desired_state: DesiredState::default(),
            dependency_graph: None,
            models_dir: None,
            steps_dir: None,
            pull_steps_dir: None,
            event_steps_dir: None,
            model_policies_dir: None,
            required_models: Vec::new(),
            accessor: Accessor::default(),
            engine: Engine::default(),
            event_bus: EventBus::default(),
            ansible: Ansible::default(),
            logging: Logging::default(),
            once: false,
            verb: Verb::Run,
            file: None,
            warnings: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the command line of this process, and the files and environment variables it leads to.
    ///
    /// `--help` and a mistake on the command line end the process, as clap does.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in a file or variable, with its place.
    pub fn from_args() -> Result<Self, ConfigError> {
        <Args as clap::Parser>::parse().into_config()
    }

    /// Reads the config file `path`, with the override file and environment variables of this process over it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in a file or variable, with its place.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        Self::load_with(path, &Environment::process())
    }

    /// [`load`](Config::load) with the environment given.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in a file or variable, with its place.
    pub fn load_with(path: impl Into<PathBuf>, environment: &Environment) -> Result<Self, ConfigError> {
        load::load(&Args { config: Some(path.into()), ..Args::default() }, environment)
    }

    /// The embedded core with its database at `path`; everything else is the default.
    pub fn embedded(path: impl Into<PathBuf>) -> Self {
        let accessor = Accessor { database: Some(path.into()), ..Accessor::default() };
        Self { accessor, ..Self::default() }
    }

    /// The embedded core in memory: nothing is left when the program ends.
    pub fn in_memory() -> Self {
        let accessor = Accessor { kind: AccessorKind::Testframework, ..Accessor::default() };
        Self { accessor, ..Self::default() }
    }

    /// Which core to open. The default database file is `<name>.db` in the current folder, by the name in the
    /// config file, else by the name that the program gives, `service`.
    pub fn core(&self, service: &str) -> CoreChoice {
        self.accessor.choose(self.name.as_deref().unwrap_or(service))
    }

    /// First line of the file `VERSION` beside the config file, `None` where there is no such file or line.
    pub fn version_file(&self) -> Option<String> {
        let folder = self.file.as_deref()?.parent().unwrap_or(Path::new(""));
        let text = std::fs::read_to_string(folder.join("VERSION")).ok()?;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }
}
