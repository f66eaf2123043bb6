//! Transactions and, within them, writes that leave no trace when they fail.

use xos_model_client::{Error, ErrorKind, Result, StoreTrouble, Write, Written};

use super::Store;
use super::fault::{Fault, Outcome};
use crate::sql::SqlError;

/// Where a write began.
pub(crate) struct Mark {
    revision: u64,
    pending: usize,
}

impl Store {
    /// Makes the writes of several calls in one transaction. Each write has its own answer; one that breaks a rule
    /// leaves no trace. When the transaction itself fails, nothing is stored, and all answers say so.
    pub(crate) fn write_group(&mut self, calls: Vec<Vec<Write>>) -> Vec<Vec<Result<Written>>> {
        let sizes: Vec<usize> = calls.iter().map(Vec::len).collect();
        let mut answers = Vec::with_capacity(calls.len());
        let written = self.transaction(|store| {
            for writes in calls {
                let mut these = Vec::with_capacity(writes.len());
                for write in writes {
                    these.push(store.answer(write)?);
                }
                answers.push(these);
            }
            Ok(())
        });
        match written {
            Ok(()) => {
                self.said = None;
                answers
            }
            Err(fault) => {
                let told = fault.told(&self.db.path);
                self.say(&told);
                // An error is not cloned, it is told once for each write that was lost.
                let again = Again::of(&told);
                let mut first = Some(told);
                let mut one = || first.take().unwrap_or_else(|| again.error());
                sizes.into_iter().map(|size| (0..size).map(|_| Err(one())).collect()).collect()
            }
        }
    }

    /// Tells why a transaction failed, once for all that fail for the same reason.
    fn say(&mut self, error: &Error) {
        let text = error.to_string();
        if self.said.as_ref() == Some(&text) {
            tracing::debug!(%error, "a transaction failed again");
        } else if error.is_interruption() {
            tracing::warn!(%error, "a transaction was interrupted");
        } else {
            tracing::error!(%error, "a transaction failed; nothing of it was stored");
        }
        self.said = Some(text);
    }

    /// The answer to one write; an error of this function ends the transaction.
    fn answer(&mut self, write: Write) -> Outcome<Result<Written>> {
        let mark = self.mark();
        match self.apply(write) {
            Ok(written) => Ok(Ok(written)),
            Err(Fault::Sql(error)) if self.is_lost(&error) => Err(Fault::Sql(error)),
            Err(fault) => {
                self.reset(&mark);
                Ok(Err(fault.told(&self.db.path)))
            }
        }
    }

    /// Whether an error ended the transaction, or means that nothing can be stored any more.
    fn is_lost(&self, error: &SqlError) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure};
        let code = match error {
            SqlError::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        self.db.connection.has_no_transaction()
            || matches!(code, Some(DiskFull | SystemIoFailure | OutOfMemory | DatabaseCorrupt | ReadOnly))
    }

    /// Runs `work` in a transaction. Listeners are told after the commit; after an error nothing happened.
    pub(crate) fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.within {
            return work(self);
        }
        let mark = self.begin()?;
        match work(self).and_then(|value| self.commit().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(fault) => {
                self.roll_back(&mark);
                Err(fault)
            }
        }
    }

    /// Runs `work` so that nobody else changes what it looks at before it writes. On a file nobody else can; on a
    /// server it is one transaction with all its parts.
    pub(crate) fn exclusively<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if !self.is_shared() {
            return work(self);
        }
        self.transaction(|store| {
            store.within = true;
            let result = work(store);
            store.within = false;
            result
        })
    }

    fn begin(&mut self) -> Outcome<Mark> {
        #[cfg(feature = "postgres")]
        if self.is_shared() {
            if let Err(fault) = self.begin_on_server() {
                self.roll_back_on_server();
                return Err(fault);
            }
            return Ok(self.mark());
        }
        if !self.db.connection.is_idle() {
            // A panic left the one before half made.
            self.db.connection.batch("ROLLBACK")?;
            self.revision = self.db.last_revision()?;
            self.pending.clear();
        }
        if let Some(lock) = &mut self.lock {
            lock.check()?;
        }
        self.db.connection.mark("BEGIN IMMEDIATE")?;
        Ok(self.mark())
    }

    fn commit(&mut self) -> Outcome<()> {
        #[cfg(feature = "postgres")]
        if self.is_shared() {
            return self.commit_on_server();
        }
        self.db.connection.mark("COMMIT")?;
        self.db.revision = Some(self.revision);
        self.hub.publish(&mut self.pending);
        Ok(())
    }

    fn roll_back(&mut self, mark: &Mark) {
        #[cfg(feature = "postgres")]
        if self.is_shared() {
            return self.roll_back_on_server();
        }
        if !self.db.connection.is_idle() {
            // What cannot be rolled back now is when the file is opened again: nothing was committed.
            let _ = self.db.connection.batch("ROLLBACK");
        }
        self.reset(mark);
    }

    fn mark(&self) -> Mark {
        Mark { revision: self.revision, pending: self.pending.len() }
    }

    /// Takes back the revisions given out since. Candidates for the reaper may stay: each is looked at again.
    fn reset(&mut self, mark: &Mark) {
        self.revision = mark.revision;
        self.pending.truncate(mark.pending);
    }

    /// Runs several statements of which either all or none have an effect.
    pub(crate) fn all_or_nothing<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let run = |store: &Self, sql: &str| store.db.connection.mark(sql);
        run(self, "SAVEPOINT one_write")?;
        let result = work(self);
        let end = match &result {
            Ok(_) => run(self, "RELEASE one_write"),
            // When the error ended the transaction, the savepoint is gone with it.
            Err(_) if self.db.connection.is_idle() => Ok(()),
            Err(_) => run(self, "ROLLBACK TO one_write").and_then(|()| run(self, "RELEASE one_write")),
        };
        let value = result?;
        end?;
        Ok(value)
    }

    /// An error of this store.
    pub(crate) fn told(&self, fault: Fault) -> Error {
        fault.told(&self.db.path)
    }
}

/// What the other writes of a lost transaction are told.
enum Again {
    Away(String),
    Unknown(String),
    Store(String, String, StoreTrouble),
}

impl Again {
    fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Away { reason } => Again::Away(reason.clone()),
            ErrorKind::OutcomeUnknown { reason } => Again::Unknown(reason.clone()),
            ErrorKind::Store { path, problem, trouble, .. } => {
                Again::Store(path.clone(), problem.clone(), *trouble)
            }
            _ => Again::Store(String::new(), error.to_string(), StoreTrouble::Lasting),
        }
    }

    fn error(&self) -> Error {
        match self {
            Again::Away(reason) => Error::away(reason.clone()),
            Again::Unknown(reason) => ErrorKind::OutcomeUnknown { reason: reason.clone() }.into(),
            Again::Store(path, problem, trouble) => {
                let (path, problem, trouble) = (path.clone(), problem.clone(), *trouble);
                ErrorKind::Store { path, problem, trouble, source: None }.into()
            }
        }
    }
}
