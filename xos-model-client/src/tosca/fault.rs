//! What can be wrong with a recipe, and with applying it.

use std::fmt;

use super::report::Report;
use crate::error::Error;

/// A place in a file, counted from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    pub(super) const UNKNOWN: Position = Position { line: 0, column: 0 };

    pub(super) fn of(location: serde_saphyr::Location) -> Self {
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: narrow(location.line()), column: narrow(location.column()) }
    }

    pub(super) fn is_known(self) -> bool {
        self.line > 0
    }
}

/// One thing that is wrong with a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1, where there is one.
    pub line: Option<u32>,
    /// The column, counted from 1, where there is one.
    pub column: Option<u32>,
    /// The node template.
    pub node: Option<String>,
    /// The property or requirement.
    pub property: Option<String>,
    /// What was expected, what was found, and what to do.
    pub problem: String,
    /// The line of the file with the place marked, for faults of YAML itself.
    pub snippet: Option<String>,
}

impl Fault {
    pub(super) fn at(at: Position, problem: impl Into<String>) -> Self {
        let known = at.is_known();
        Fault {
            line: known.then_some(at.line),
            column: known.then_some(at.column),
            node: None,
            property: None,
            problem: problem.into(),
            snippet: None,
        }
    }

    pub(super) fn node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    pub(super) fn property(mut self, property: &str) -> Self {
        self.property = Some(property.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "node {node}: ")?;
        }
        if let Some(property) = &self.property {
            write!(f, "{property}: ")?;
        }
        f.write_str(&self.problem)?;
        if let Some(snippet) = &self.snippet {
            write!(f, "\n{snippet}")?;
        }
        Ok(())
    }
}

/// All that is wrong with a recipe. Nothing was written.
///
/// It shows as one line per fault: `hello-world.yaml:14:9: node service: helo_from: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeFault {
    file: String,
    faults: Vec<Fault>,
}

impl RecipeFault {
    pub(super) fn new(file: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| (fault.line.unwrap_or(u32::MAX), fault.column));
        RecipeFault { file: file.to_owned(), faults }
    }

    /// The name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Each fault, in the order of the file.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for RecipeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            for number in [fault.line, fault.column].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            write!(f, ": {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RecipeFault {}

/// Why a recipe was not applied, or not to its end.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The recipe has faults, or does not fit to what the core has; nothing was written.
    #[error(transparent)]
    Faulty(#[from] RecipeFault),
    /// Objects that are still being deleted hold values that must be unique. Apply the recipe again when they are
    /// gone. Nothing was written, except that objects which left the recipe and are in the way were deleted; they are
    /// in the report.
    #[error("{waits_for}")]
    Busy {
        /// Which objects, and what they hold.
        waits_for: RecipeFault,
        /// The deletions.
        report: Box<Report>,
    },
    /// The core, or the memory of what was applied, could not be read; nothing was written.
    #[error(transparent)]
    Read(#[from] Error),
    /// A write failed. What the report says was done, nothing else.
    #[error("the recipe was applied in part, up to node {node}: {error}")]
    Stopped {
        /// The node whose turn it was.
        node: String,
        /// Why.
        #[source]
        error: Error,
        /// What was done.
        report: Box<Report>,
    },
    /// What was done could not be remembered; the recipe was not applied any further.
    #[error("what the recipe made could not be remembered: {error}")]
    NotRemembered {
        /// Why.
        #[source]
        error: Error,
        /// What was done.
        report: Box<Report>,
    },
}

impl RecipeError {
    /// Whether applying the same recipe again can help: objects are being deleted, or the core is away.
    pub fn is_retryable(&self) -> bool {
        match self {
            RecipeError::Faulty(_) => false,
            RecipeError::Busy { .. } => true,
            RecipeError::Read(error)
            | RecipeError::Stopped { error, .. }
            | RecipeError::NotRemembered { error, .. } => error.is_interruption(),
        }
    }

    /// What was done all the same.
    pub fn report(&self) -> Option<&Report> {
        match self {
            RecipeError::Busy { report, .. }
            | RecipeError::Stopped { report, .. }
            | RecipeError::NotRemembered { report, .. } => Some(report),
            RecipeError::Faulty(_) | RecipeError::Read(_) => None,
        }
    }
}
