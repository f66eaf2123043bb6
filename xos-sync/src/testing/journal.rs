//! What was asked of an accessor.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use xos_model_client::{Caller, ModelName, ObjectId, Value};

use super::faulty::Call;

/// What was asked of an accessor, in order.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Entry>>>);

/// One thing that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What kind of call it was.
    pub call: Call,
    /// The model; empty for a call that is about none.
    pub model: ModelName,
    /// The object: the new one of a creation, unset for a list.
    pub id: ObjectId,
    /// The fields that a write sets.
    pub fields: Vec<(String, Value)>,
    /// On whose behalf a write was made; a read is made on nobody's.
    pub by: Caller,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Ok,
    /// The core refused it, or a fault was injected.
    Failed(String),
}

impl Journal {
    pub(super) fn add(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The writes so far.
    pub fn writes(&self) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.call.is_write()).collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Entry {
    /// The value that a write sets a field to.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.call, self.model, self.id)?;
        if self.call.is_write() {
            write!(f, " by {:?}", self.by)?;
        }
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        match &self.outcome {
            Outcome::Ok => Ok(()),
            Outcome::Failed(error) => write!(f, ": {error}"),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.entries() {
            writeln!(f, "{entry}")?;
        }
        Ok(())
    }
}
