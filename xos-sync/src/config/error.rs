//! What is wrong with a configuration, and where: file and line, variable or flag.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Exit code of a program that cannot use its configuration: `EX_CONFIG` of `sysexits.h`.
pub const EXIT_CONFIG: u8 = 78;

/// Why a configuration cannot be used: one [`Problem`] or more, each shown on a line of its own.
///
/// A program that stops because of it ends with [`EXIT_CONFIG`].
#[derive(Debug)]
#[non_exhaustive]
pub struct ConfigError {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// The exit code for this error: [`EXIT_CONFIG`].
    pub fn exit_code(&self) -> u8 {
        EXIT_CONFIG
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// One mistake or warning: what, where, which key, and what to do.
///
/// Printed as `config.yaml:7: unknown key "engine.concurency" (did you mean "engine.concurrency"?)`. It never holds
/// the value of a secret, nor a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Where it was written.
    pub origin: Origin,
    /// The key, with dots: `engine.concurrency`.
    pub key: Option<String>,
    /// What is wrong, in lower case.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(origin: &Origin, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), key: None, message: message.into(), hint: None }
    }

    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The file it is in.
    pub fn file(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path, _) => Some(path),
            _ => None,
        }
    }

    /// The line it is in, from 1.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::File(_, line) => line,
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Program => {}
            origin => write!(f, "{origin}: ")?,
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Where a setting was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// In the program itself.
    #[default]
    Program,
    /// In a file, at a line counted from 1 where one is known.
    File(Arc<Path>, Option<usize>),
    /// In an environment variable.
    Variable(String),
    /// In a flag of the command line.
    Flag(&'static str),
}

impl Origin {
    /// The whole of a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into().into(), None)
    }

    /// `path` as meant here: one in a file is relative to that file's folder, any other to the current folder.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        match self {
            Self::File(file, _) => {
                file.parent().map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
            }
            _ => PathBuf::from(path),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}
