//! What can go wrong in the store, before it is told.

use rusqlite::ErrorCode;
use xos_model_client::{Error, ErrorKind, FieldFault, ModelName, ObjectId, SchemaFault};

/// What went wrong: with the database, or with what was asked for.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database's own error.
    Sql(rusqlite::Error),
    /// Anything else, ready to be told.
    Told(Error),
}

/// The result of a function inside the store.
pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// An object that breaks rules of its model.
    pub(crate) fn invalid(model: &ModelName, id: ObjectId, faults: Vec<FieldFault>) -> Self {
        Fault::Told(Error::invalid(model.clone(), id, faults))
    }

    /// As an error that says what to do about it.
    pub(crate) fn told(self, path: &str) -> Error {
        match self {
            Fault::Told(error) => error,
            Fault::Sql(error) => store_error(path, explain(&error), Some(error)),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Told(error)
    }
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Self {
        Fault::Told(kind.into())
    }
}

impl From<SchemaFault> for Fault {
    fn from(fault: SchemaFault) -> Self {
        Fault::Told(fault.into())
    }
}

/// An error of the database at `path`.
pub(crate) fn store_error(path: &str, problem: impl Into<String>, source: Option<rusqlite::Error>) -> Error {
    let source = source.map(|error| Box::new(error) as Box<dyn std::error::Error + Send + Sync>);
    ErrorKind::Store { path: path.to_owned(), problem: problem.into(), source }.into()
}

/// What is wrong, and what to do.
pub(crate) fn explain(error: &rusqlite::Error) -> String {
    let Some(code) = error.sqlite_error_code() else {
        return "did not take a statement; this is a bug of the embedded core, please report it".to_owned();
    };
    let text = match code {
        ErrorCode::DiskFull => {
            "is full, nothing was stored; make room on its disk, or raise its limit of pages"
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            "cannot be written, nothing was stored: the file or its folder is read-only; make both writable, or give another database"
        }
        ErrorCode::CannotOpen => {
            "cannot be opened; check that the file and its folder exist and may be read and written"
        }
        ErrorCode::NotADatabase => {
            "is not a database; give another file, or move this one away to begin with an empty one"
        }
        ErrorCode::DatabaseCorrupt => "is damaged; restore it from a backup",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "is locked by another program, nothing was stored; close that program and try again"
        }
        ErrorCode::SystemIoFailure => {
            "could not be read or written, nothing was stored; check its disk (the cause is below)"
        }
        ErrorCode::OutOfMemory => "needs more memory than there is, nothing was stored",
        ErrorCode::TooBig => "cannot hold a value of that size, nothing was stored",
        _ => "did not take a statement; this is a bug of the embedded core, please report it",
    };
    text.to_owned()
}
