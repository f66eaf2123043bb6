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
    #[error("this program was built without {what}; build xos-sync with the feature \"{feature}\"")]
    BuiltWithout {
        /// What is missing.
        what: &'static str,
        /// What has to be enabled.
        feature: &'static str,
    },
    /// Models that must be in the core are not.
    #[error("required_models: missing: {}; they come with no synchronizer that was loaded", .0.join(", "))]
    MissingModels(Vec<String>),
    /// Objects are in the way of unloading the models: their `delete_record` did not succeed.
    #[error("the models are still loaded: {left} of their objects could not be deleted; --show lists them")]
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
    #[error("{failed} of {total} objects are not OK; --show lists them")]
    NotAllOk {
        /// How many failed or are deferred.
        failed: usize,
        /// How many there are.
        total: usize,
    },
    /// A file that is needed cannot be read or written.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
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
            ErrorKind::Config(_) | ErrorKind::BuiltWithout { .. } => ExitCode::from(EXIT_CONFIG),
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
