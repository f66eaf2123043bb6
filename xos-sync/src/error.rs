//! What stops a synchronizer.

use std::fmt;
use std::process::ExitCode;

use crate::config::{ConfigError, EXIT_CONFIG};
use crate::step::StepError;

/// `Result` with this crate's [`Error`].
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// What stops a synchronizer; [`kind`](Error::kind) says what it was.
pub struct Error(Box<ErrorKind>);

/// What stops a synchronizer.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The core said no, or cannot be opened.
    #[error(transparent)]
    Core(#[from] xos_model_client::Error),
    /// A kind of core that the program was built without.
    #[error(
        "this program was built without {what}; build xos-sync with the feature \"{feature}\": cargo add xos-sync --features {feature}"
    )]
    BuiltWithout {
        /// What is missing.
        what: &'static str,
        /// What has to be enabled.
        feature: &'static str,
    },
    /// An event bus that cannot be opened.
    #[error("{0}")]
    EventBus(String),
    /// Models that must be in the core are not.
    #[error("required_models: missing: {}; they come with no synchronizer that was loaded", .0.join(", "))]
    MissingModels(Vec<String>),
    /// Objects are in the way of unloading the models: their `delete_record` did not succeed.
    #[error(
        "the models are still loaded: {left} of their objects could not be deleted; the verb list shows them"
    )]
    NotUnloaded {
        /// How many objects are left.
        left: u64,
    },
    /// A synchronizer that cannot be right.
    #[error("{0}")]
    Synchronizer(String),
    /// A step that was called by the program itself, as in a test.
    #[error("{}", .0.chain())]
    Step(StepError),
    /// `--once` ended with objects that are not OK.
    #[error("{failed} of {total} objects are not OK; the verb list shows them")]
    NotAllOk {
        /// How many failed or are deferred.
        failed: usize,
        /// How many there are.
        total: usize,
    },
    /// `--once` ended with pull steps that failed.
    #[error("pull steps failed: {}; the log says why", .steps.join(", "))]
    NotAllPulled {
        /// Their names.
        steps: Vec<String>,
    },
    /// `--once` ended with events that their steps did not process.
    #[error(
        "{events} events were not processed, and hold up what is behind them; the log says which and why"
    )]
    NotAllProcessed {
        /// How many there are, one in each partition that is held up.
        events: usize,
    },
    /// A file that is needed cannot be read or written.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Another process has the database file.
    #[error("the database {database} is {owner}{}", UseIt { pid: *.pid, socket, is_served: *.is_served })]
    InUse {
        /// The file.
        database: String,
        /// Who has it, in words.
        owner: String,
        /// The process that has it, where it is known.
        pid: Option<u32>,
        /// The socket on which that process should serve it.
        socket: String,
        /// Whether something listens there.
        is_served: bool,
    },
    /// What the command line asks for cannot be done.
    #[error("{0}")]
    Verb(String),
    /// A recipe was not applied, or not to its end.
    #[error("{0}")]
    Recipe(String),
    /// Something of the author's own: `?` in `main` takes any error.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What it was.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// An error of the author's own, from any error or text.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error(Box::new(ErrorKind::Other(error.into())))
    }

    /// Whether the core cannot be reached now: the same may succeed later.
    pub fn is_interruption(&self) -> bool {
        matches!(self.kind(), ErrorKind::Core(error) if error.is_interruption())
    }

    /// The exit code of a program that ends with it: 78 (`EX_CONFIG`) for a wrong configuration, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self.kind() {
            ErrorKind::Config(_) | ErrorKind::BuiltWithout { .. } | ErrorKind::EventBus(_) => {
                ExitCode::from(EXIT_CONFIG)
            }
            // An option that came from the section `accessor`.
            ErrorKind::Core(error)
                if matches!(error.kind(), xos_model_client::ErrorKind::Connection { .. }) =>
            {
                ExitCode::from(EXIT_CONFIG)
            }
            _ => ExitCode::FAILURE,
        }
    }

    /// The error with all its causes, one a line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.contains(&more) {
                text.push_str("\n  because: ");
                text.push_str(&more);
            }
            cause = error.source();
        }
        text
    }
}

impl From<StepError> for ErrorKind {
    fn from(error: StepError) -> Self {
        ErrorKind::Step(error)
    }
}

impl<E: Into<ErrorKind>> From<E> for Error {
    fn from(kind: E) -> Self {
        Error(Box::new(kind.into()))
    }
}

/// How a database that another process has can be used all the same.
struct UseIt<'a> {
    pid: Option<u32>,
    socket: &'a str,
    is_served: bool,
}

impl fmt::Display for UseIt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.socket;
        if self.is_served {
            write!(
                f,
                ", which serves it on {socket}: the verbs list, apply and explain go through that socket; another \
                 synchronizer shares the core with accessor.endpoint: unix:{socket}"
            )?;
        } else {
            write!(
                f,
                ", and nothing answers on {socket}: that program is older than its socket, is just starting, or has \
                 another accessor.socket; the verb list shows the objects all the same"
            )?;
        }
        match self.pid {
            Some(pid) => write!(f, "; to have it alone, stop process {pid}, or give another database"),
            None => f.write_str("; to have it alone, stop that process, or give another database"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
