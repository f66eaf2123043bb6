//! What a database answers instead of rows.

use std::fmt;

/// An error of the database, or of the way to it.
#[derive(Debug)]
pub(crate) enum SqlError {
    Sqlite(rusqlite::Error),
    /// An answer of a server. Its details are left out: they may hold values, and a value may be a secret.
    #[cfg(feature = "postgres")]
    Server {
        /// The five letters of SQLSTATE.
        code: String,
        message: String,
        /// The index or constraint that refused a row.
        constraint: Option<String>,
    },
    /// The server cannot be reached, or the connection broke.
    #[cfg(feature = "postgres")]
    Away(String),
    /// A text has the character NUL, which a server cannot hold.
    #[cfg(feature = "postgres")]
    Nul,
    /// A column holds what was not expected there.
    Mismatch(usize),
}

impl SqlError {
    pub(crate) fn mismatch(column: usize) -> Self {
        SqlError::Mismatch(column)
    }

    /// Whether the way to the server broke, or the server ends or refuses connections for now.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            SqlError::Away(_) => true,
            #[cfg(feature = "postgres")]
            SqlError::Server { code, .. } => {
                // Connection exceptions; shutting down or starting up; too many connections; waited too long; a
                // stand-by, from which the way to the first server has to be found again.
                code.starts_with("08")
                    || code.starts_with("57P")
                    || matches!(code.as_str(), "53300" | "55P03" | "57014" | "25P03" | "25006")
                    || code.starts_with("40")
            }
            _ => false,
        }
    }

    /// Whether a statement names a table or column that is not there (any more).
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "only PostgreSQL reads tables that others change")
    )]
    pub(crate) fn is_of_another_schema(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            SqlError::Server { code, .. } => matches!(code.as_str(), "42P01" | "42703" | "0A000" | "42704"),
            _ => false,
        }
    }

    /// What the server says, where one said it.
    #[cfg(feature = "postgres")]
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            SqlError::Server { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        SqlError::Sqlite(error)
    }
}

#[cfg(feature = "postgres")]
impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(told) = error.as_db_error() {
            return SqlError::Server {
                code: told.code().code().to_owned(),
                message: told.message().to_owned(),
                constraint: told.constraint().map(str::to_owned),
            };
        }
        // The crate's errors name no values; the cause is what a person needs.
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text = format!("{text}: {cause}");
        }
        // Its kinds are not public. These are of the way to the server, the others of what was sent.
        let of_the_way = [
            "connection closed",
            "error communicating",
            "error connecting",
            "error performing TLS",
            "timeout",
            "unexpected message",
        ];
        if of_the_way.iter().any(|kind| text.starts_with(kind)) {
            return SqlError::Away(text);
        }
        SqlError::Server { code: String::new(), message: text, constraint: None }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlError::Sqlite(error) => error.fmt(f),
            #[cfg(feature = "postgres")]
            SqlError::Server { code, message, .. } => {
                write!(f, "{message}{}", if code.is_empty() { String::new() } else { format!(" ({code})") })
            }
            #[cfg(feature = "postgres")]
            SqlError::Away(why) => f.write_str(why),
            #[cfg(feature = "postgres")]
            SqlError::Nul => f.write_str("a text has the character NUL"),
            SqlError::Mismatch(column) => write!(f, "column {column} holds what was not expected there"),
        }
    }
}

impl std::error::Error for SqlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SqlError::Sqlite(error) => error.source(),
            _ => None,
        }
    }
}
