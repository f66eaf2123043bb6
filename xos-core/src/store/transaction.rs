//! Transactions and, within them, writes that leave no trace when they fail.

use xos_model_client::{Error, Result, Write, Written};

use super::Store;
use super::fault::{Fault, Outcome, explain, store_error};

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
            Ok(()) => answers,
            Err(fault) => {
                // An error is not cloned, it is told once for each write that was lost.
                let problem = match &fault {
                    Fault::Sql(error) => explain(error),
                    Fault::Told(error) => error.to_string(),
                };
                tracing::error!(database = %self.db.path, problem = %problem, "a transaction failed; nothing of it was stored");
                let mut first = Some(fault.told(&self.db.path));
                let path = self.db.path.clone();
                let mut one = || first.take().unwrap_or_else(|| store_error(&path, problem.clone(), None));
                sizes.into_iter().map(|size| (0..size).map(|_| Err(one())).collect()).collect()
            }
        }
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
    fn is_lost(&self, error: &rusqlite::Error) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure};
        self.db.connection.is_autocommit()
            || matches!(
                error.sqlite_error_code(),
                Some(DiskFull | SystemIoFailure | OutOfMemory | DatabaseCorrupt | ReadOnly)
            )
    }

    /// Runs `work` in a transaction. Listeners are told after the commit; after an error nothing happened.
    pub(crate) fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if !self.db.connection.is_autocommit() {
            // A panic left the one before half made.
            self.db.connection.execute_batch("ROLLBACK")?;
            self.revision = self.db.last_revision()?;
            self.pending.clear();
        }
        let mark = self.mark();
        self.db.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let result = work(self).and_then(|value| {
            self.db.connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(value)
        });
        match result {
            Ok(value) => {
                self.db.revision = Some(self.revision);
                self.hub.publish(&mut self.pending);
                Ok(value)
            }
            Err(fault) => {
                self.roll_back(&mark);
                Err(fault)
            }
        }
    }

    fn roll_back(&mut self, mark: &Mark) {
        if !self.db.connection.is_autocommit() {
            // What cannot be rolled back now is when the file is opened again: nothing was committed.
            let _ = self.db.connection.execute_batch("ROLLBACK");
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
        let run = |store: &Self, sql: &str| store.db.connection.prepare_cached(sql)?.execute([]);
        run(self, "SAVEPOINT one_write")?;
        let result = work(self);
        let end = match &result {
            Ok(_) => run(self, "RELEASE one_write"),
            // When the error ended the transaction, the savepoint is gone with it.
            Err(_) if self.db.connection.is_autocommit() => Ok(0),
            Err(_) => run(self, "ROLLBACK TO one_write").and_then(|_| run(self, "RELEASE one_write")),
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
