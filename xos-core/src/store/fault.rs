//! What can go wrong in the store, before it is told.

use rusqlite::ErrorCode;
use xos_model_client::{Error, ErrorKind, FieldFault, ModelName, ObjectId, SchemaFault, StoreTrouble};

use crate::sql::SqlError;

/// What went wrong: with the database, or with what was asked for.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database's own error.
    Sql(SqlError),
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
            Fault::Sql(error) if error.is_away() => away(path, &error),
            Fault::Sql(error) => store_error(path, explain(&error), Some(error)),
        }
    }
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        Fault::Sql(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error.into())
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
pub(crate) fn store_error(path: &str, problem: impl Into<String>, source: Option<SqlError>) -> Error {
    let trouble = source.as_ref().map_or(StoreTrouble::Lasting, trouble);
    let source = source.map(|error| Box::new(error) as Box<dyn std::error::Error + Send + Sync>);
    ErrorKind::Store { path: path.to_owned(), problem: problem.into(), trouble, source }.into()
}

/// The server of the database at `path` cannot be reached now: nobody's failure, and tried again later.
pub(crate) fn away(path: &str, error: &SqlError) -> Error {
    Error::away(format!("the database {path} cannot be used now: {error}; it is tried again with each call"))
}

/// Whether it lies around the database, and may be over later.
fn trouble(error: &SqlError) -> StoreTrouble {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    let is_passing = match error {
        SqlError::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(
                DiskFull
                    | SystemIoFailure
                    | ReadOnly
                    | PermissionDenied
                    | CannotOpen
                    | DatabaseBusy
                    | DatabaseLocked
            )
        ),
        SqlError::Mismatch(_) => false,
        #[cfg(feature = "postgres")]
        SqlError::Server { code, .. } => code == "53100",
        #[cfg(feature = "postgres")]
        SqlError::Nul | SqlError::Away(_) => false,
    };
    if is_passing { StoreTrouble::Passing } else { StoreTrouble::Lasting }
}

/// A statement that should not have been.
const BUG: &str = "did not take a statement; this is a bug of the embedded core, please report it";

/// What is wrong, and what to do.
pub(crate) fn explain(error: &SqlError) -> String {
    let text = match error {
        SqlError::Sqlite(error) => error.sqlite_error_code().map_or(BUG, of_sqlite),
        SqlError::Mismatch(_) => "holds something unreadable; restore it from a backup",
        #[cfg(feature = "postgres")]
        SqlError::Nul => "cannot hold a text with the character NUL, nothing was stored; leave it out",
        #[cfg(feature = "postgres")]
        SqlError::Away(_) => "cannot be reached; nothing was stored",
        #[cfg(feature = "postgres")]
        SqlError::Server { code, .. } => of_server(code),
    };
    text.to_owned()
}

#[cfg(feature = "postgres")]
fn of_server(code: &str) -> &'static str {
    match code {
        "53100" => "is full, nothing was stored; make room on the disk of its server",
        "53200" => "needs more memory than its server has, nothing was stored",
        "42501" => {
            "refuses its user a right, nothing was stored; grant it USAGE and CREATE on the schema, or let it create the schema"
        }
        "28P01" | "28000" => {
            "refuses the user; check the user and the password in its URL, and the server's pg_hba.conf"
        }
        "3D000" => "does not exist; create it (createdb), or give the URL of another one",
        "54000" | "54001" => "cannot hold a value of that size, nothing was stored",
        _ if code.starts_with("XX") => "is damaged; look at its server's log, and restore it from a backup",
        _ => BUG,
    }
}

fn of_sqlite(code: ErrorCode) -> &'static str {
    match code {
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
        _ => BUG,
    }
}
