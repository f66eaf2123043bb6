//! The two databases under the store, as one: every rule and every statement is written once.
//!
//! Statements are written in the words of SQLite, with `?1` for the first parameter. A connection to PostgreSQL
//! translates each of them once (see `dialect`) and keeps it prepared, as SQLite does.

#[cfg(feature = "postgres")]
pub(crate) mod dialect;
mod error;
#[cfg(feature = "postgres")]
pub(crate) mod pattern;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "postgres")]
pub(crate) mod target;

use std::ops::ControlFlow;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

#[cfg(feature = "postgres")]
use self::postgres::Postgres;
use crate::store::Outcome;

pub(crate) use self::error::SqlError;

/// A connection to a database of objects.
#[derive(Debug)]
pub(crate) enum Connection {
    /// A file, or memory.
    Sqlite(rusqlite::Connection),
    /// A server.
    #[cfg(feature = "postgres")]
    Postgres(Box<Postgres>),
}

/// A value on its way into a statement.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Sql<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
    /// The rows of a set of ids, for `= ANY(?)`: PostgreSQL only.
    #[cfg(feature = "postgres")]
    Ids(&'a [i64]),
}

/// A value that a condition compares with, kept until its statement runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Int(i64),
    Real(f64),
    Text(String),
    /// A regular expression, in the words of Rust's crate `regex`.
    Pattern(String),
}

/// What a row holds in a column.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Stored<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
}

/// A row of an answer.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    #[cfg(feature = "postgres")]
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// What the column holds.
    pub(crate) fn stored(&self, at: usize) -> Result<Stored<'_>, SqlError> {
        match self {
            Row::Sqlite(row) => Ok(match row.get_ref(at)? {
                ValueRef::Integer(int) => Stored::Int(int),
                ValueRef::Real(real) => Stored::Real(real),
                ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Stored::Text(text),
                    Err(_) => return Err(SqlError::mismatch(at)),
                },
                ValueRef::Null | ValueRef::Blob(_) => Stored::Null,
            }),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => postgres::stored(row, at),
        }
    }

    /// The column as a type that it is known to fit.
    pub(crate) fn get<T: FromStored>(&self, at: usize) -> Result<T, SqlError> {
        T::from(self.stored(at)?).ok_or_else(|| SqlError::mismatch(at))
    }
}

/// A type that a column is read as.
pub(crate) trait FromStored: Sized {
    /// The value, when it fits.
    fn from(stored: Stored<'_>) -> Option<Self>;
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl FromStored for $int {
            fn from(stored: Stored<'_>) -> Option<Self> {
                match stored {
                    Stored::Int(int) => int.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

integers!(i64 i32 u64 u16 u8 usize);

impl FromStored for bool {
    fn from(stored: Stored<'_>) -> Option<Self> {
        match stored {
            Stored::Int(int) => Some(int != 0),
            _ => None,
        }
    }
}

impl FromStored for Option<f64> {
    fn from(stored: Stored<'_>) -> Option<Self> {
        match stored {
            Stored::Real(real) => Some(Some(real)),
            Stored::Null => Some(None),
            _ => None,
        }
    }
}

impl FromStored for String {
    fn from(stored: Stored<'_>) -> Option<Self> {
        match stored {
            Stored::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl Operand {
    /// As a parameter of a statement on this connection.
    pub(crate) fn bound(&self) -> Sql<'_> {
        match self {
            Operand::Int(int) => Sql::Int(*int),
            Operand::Real(real) => Sql::Real(*real),
            Operand::Text(text) | Operand::Pattern(text) => Sql::Text(text),
        }
    }
}

impl ToSql for Sql<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Sql::Null => ValueRef::Null,
            Sql::Int(int) => ValueRef::Integer(int),
            Sql::Real(real) => ValueRef::Real(real),
            Sql::Text(text) => ValueRef::Text(text.as_bytes()),
            // Statements that take a set of ids are only made for PostgreSQL.
            #[cfg(feature = "postgres")]
            Sql::Ids(_) => ValueRef::Null,
        }))
    }
}

macro_rules! parameters {
    ($($int:ty)*) => {$(
        impl From<$int> for Sql<'_> {
            #[allow(clippy::cast_lossless, reason = "one text for all widths")]
            fn from(int: $int) -> Self {
                Sql::Int(int as i64)
            }
        }
    )*};
}

parameters!(i64 i32 u64 u16 u8 usize);

impl From<f64> for Sql<'_> {
    fn from(real: f64) -> Self {
        Sql::Real(real)
    }
}

impl<'a> From<&'a str> for Sql<'a> {
    fn from(text: &'a str) -> Self {
        Sql::Text(text)
    }
}

/// The parameters of a statement: what can be borrowed or counted.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::sql::Sql::from($value)),*] };
}
pub(crate) use params;

impl Connection {
    /// The connection to a file or memory, for what only SQLite does.
    pub(crate) fn sqlite(&self) -> Option<&rusqlite::Connection> {
        match self {
            Connection::Sqlite(connection) => Some(connection),
            #[cfg(feature = "postgres")]
            Connection::Postgres(_) => None,
        }
    }

    /// The connection to a server.
    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(&self) -> Option<&Postgres> {
        match self {
            Connection::Sqlite(_) => None,
            Connection::Postgres(postgres) => Some(postgres),
        }
    }

    /// Runs a statement that gives no rows, and keeps it prepared.
    pub(crate) fn execute<'p>(&self, sql: &str, params: impl IntoIterator<Item = Sql<'p>>) -> Outcome<()> {
        match self {
            Connection::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                statement.raw_execute()?;
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => drop(postgres.query(sql, params)?),
        }
        Ok(())
    }

    /// Runs a statement whose parameters are numbers and whose answer nobody waits for: on a server it goes out with
    /// the next one, and an error of it is that one's.
    pub(crate) fn execute_soon(&self, sql: &str, params: &[i64]) -> Outcome<()> {
        match self {
            Connection::Sqlite(_) => self.execute(sql, params.iter().map(|number| Sql::Int(*number))),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => {
                postgres.later(&dialect::with_numbers(sql, params));
                Ok(())
            }
        }
    }

    /// Inserts a row, and tells the id that it got.
    pub(crate) fn insert<'p>(&self, sql: &str, params: impl IntoIterator<Item = Sql<'p>>) -> Outcome<i64> {
        match self {
            Connection::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                statement.raw_execute()?;
                Ok(connection.last_insert_rowid())
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => {
                let rows = postgres.query(&format!("{sql} RETURNING id"), params)?;
                let row = rows.first().ok_or_else(|| SqlError::mismatch(0))?;
                Ok(Row::Postgres(row).get(0)?)
            }
        }
    }

    /// Shows each row of an answer until `visit` breaks.
    pub(crate) fn each<'p>(
        &self,
        sql: &str,
        params: impl IntoIterator<Item = Sql<'p>>,
        mut visit: impl FnMut(&Row<'_>) -> Outcome<ControlFlow<()>>,
    ) -> Outcome<()> {
        match self {
            Connection::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                let mut rows = statement.raw_query();
                while let Some(row) = rows.next()? {
                    if visit(&Row::Sqlite(row))?.is_break() {
                        break;
                    }
                }
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => {
                for row in &postgres.query(sql, params)? {
                    if visit(&Row::Postgres(row))?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the first row, when there is one.
    pub(crate) fn one<'p, T>(
        &self,
        sql: &str,
        params: impl IntoIterator<Item = Sql<'p>>,
        read: impl FnOnce(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        match self {
            Connection::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                let mut rows = statement.raw_query();
                rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => {
                postgres.query(sql, params)?.first().map(|row| read(&Row::Postgres(row))).transpose()
            }
        }
    }

    /// Reads all rows.
    pub(crate) fn all<'p, T>(
        &self,
        sql: &str,
        params: impl IntoIterator<Item = Sql<'p>>,
        mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The number that a statement gives.
    pub(crate) fn number(&self, sql: &str) -> Outcome<u64> {
        Ok(self.one(sql, [], |row| Ok(row.get(0)?))?.unwrap_or(0))
    }

    /// Runs statements without parameters that are not needed again.
    pub(crate) fn batch(&self, sql: &str) -> Outcome<()> {
        match self {
            Connection::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => Ok(postgres.batch(&dialect::translate(sql))?),
        }
    }

    /// Runs one of the few statements that begin and end transactions and savepoints. On a server it goes out with
    /// the next one that has an answer to wait for.
    pub(crate) fn mark(&self, sql: &str) -> Outcome<()> {
        match self {
            Connection::Sqlite(connection) => drop(connection.prepare_cached(sql)?.execute([])?),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => postgres.later(sql),
        }
        Ok(())
    }

    /// From here to the end of the transaction a link may lead to nothing: the commit sees that none is left.
    pub(crate) fn links_are_checked_at_commit(&self) -> Outcome<()> {
        match self {
            Connection::Sqlite(connection) => Ok(connection.execute_batch("PRAGMA defer_foreign_keys = ON")?),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => {
                postgres.later("SET CONSTRAINTS ALL DEFERRED");
                Ok(())
            }
        }
    }

    /// Whether no transaction is open, not even one that failed.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Connection::Sqlite(connection) => connection.is_autocommit(),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => postgres.is_idle(),
        }
    }

    /// Whether no transaction is open that could be committed.
    pub(crate) fn has_no_transaction(&self) -> bool {
        match self {
            Connection::Sqlite(connection) => connection.is_autocommit(),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => !postgres.is_in_transaction(),
        }
    }

    /// Forgets prepared statements: they are of tables that were altered.
    pub(crate) fn forget_statements(&self) {
        match self {
            Connection::Sqlite(connection) => connection.flush_prepared_statement_cache(),
            #[cfg(feature = "postgres")]
            Connection::Postgres(postgres) => postgres.forget_statements(),
        }
    }

    /// Whether a transaction goes on after a statement that failed. On a server only from a savepoint before it.
    pub(crate) fn survives_errors(&self) -> bool {
        self.sqlite().is_some()
    }

    /// Whether a statement costs a way to a server and back, so that one for many rows is better than many.
    pub(crate) fn is_remote(&self) -> bool {
        self.sqlite().is_none()
    }
}

fn bind<'p>(
    statement: &mut rusqlite::Statement<'_>,
    params: impl IntoIterator<Item = Sql<'p>>,
) -> Result<(), SqlError> {
    for (at, value) in params.into_iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value)?;
    }
    Ok(())
}
