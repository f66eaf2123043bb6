//! Who changed what: runs tell what they write, and what a start was caused by is known from that.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xos_model_client::Record;

use super::halves::Halves;
use crate::engine::{Lane, ObjectKey, Version};

/// One who writes: a run of a lane of an object.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) key: ObjectKey,
    pub(super) lane: Lane,
    /// The object as the run found it, for its name.
    pub(super) record: Record,
}

/// What a run changed: the object's key, and the versions that are due because of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    pub(super) key: ObjectKey,
    pub(super) sync: Option<Version>,
    pub(super) policy: Option<Version>,
}

/// Who changed what; runs tell, the shell asks.
#[derive(Clone, Default)]
pub(super) struct Causes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    changes: Halves<(ObjectKey, Lane), Cause>,
    /// Writes that are under way: their answer may come after the run that they cause has started.
    under_way: HashMap<ObjectKey, Vec<Writer>>,
    count: u64,
}

#[derive(Clone)]
struct Cause {
    version: Version,
    writer: Writer,
    number: u64,
    /// A start that it caused was counted.
    counted: bool,
}

impl Causes {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run is about to write an object.
    pub(super) fn begins(&self, key: ObjectKey, writer: &Writer) {
        self.noted().under_way.entry(key).or_default().push(writer.clone());
    }

    /// That write has ended, with or without a change.
    pub(super) fn ended(&self, key: ObjectKey, writer: &Writer, changed: Option<Changed>) {
        let mut noted = self.noted();
        if let Some(writers) = noted.under_way.get_mut(&key) {
            if let Some(at) = writers.iter().position(|one| (one.key, one.lane) == (writer.key, writer.lane))
            {
                writers.swap_remove(at);
            }
            if writers.is_empty() {
                noted.under_way.remove(&key);
            }
        }
        let Some(changed) = changed else { return };
        noted.count += 1;
        let number = noted.count;
        for (lane, version) in [(Lane::Sync, changed.sync), (Lane::Policy, changed.policy)] {
            let Some(version) = version else { continue };
            let cause = Cause { version, writer: writer.clone(), number, counted: false };
            noted.changes.put((key, lane), cause);
        }
    }

    /// How many changes were noted so far.
    pub(super) fn count(&self) -> u64 {
        self.noted().count
    }

    /// Whether a run of `writer` changed `key` after that many changes.
    pub(super) fn has_changed(&self, writer: ObjectKey, key: ObjectKey, after: u64) -> bool {
        let mut noted = self.noted();
        [Lane::Sync, Lane::Policy].into_iter().any(|lane| {
            let cause = noted.changes.get(&(key, lane));
            cause.is_some_and(|cause| cause.writer.key == writer && cause.number > after)
        })
    }

    /// Who caused a run of this lane at this version, and whether that is told for the first time.
    pub(super) fn of(&self, key: ObjectKey, lane: Lane, version: Version) -> By {
        let mut noted = self.noted();
        let under_way = noted.under_way.get(&key).and_then(|writers| writers.first().cloned());
        match noted.changes.get(&(key, lane)) {
            Some(cause) if cause.version == version => {
                let again = mem::replace(&mut cause.counted, true);
                By::Run { writer: cause.writer.clone(), again }
            }
            // It looked before the latest change; the run for that one will come.
            Some(cause) if cause.version > version => By::Unknown,
            _ => match under_way {
                Some(writer) => By::Run { writer, again: false },
                None => By::Others,
            },
        }
    }
}

/// Who caused a start.
pub(super) enum By {
    Run {
        writer: Writer,
        again: bool,
    },
    Unknown,
    /// Somebody who is no run of this program.
    Others,
}

#[cfg(test)]
mod tests {
    use xos_model_client::Model as _;
    use xos_model_client::models::Site;

    use super::*;
    use crate::engine::ModelId;

    fn key(id: u32) -> ObjectKey {
        ObjectKey::new(ModelId(0), id)
    }

    const SYNC: Lane = Lane::Sync;
    const POLICY: Lane = Lane::Policy;

    #[test]
    fn a_write_whose_answer_is_late_and_a_retry_are_known() {
        let causes = Causes::default();
        let writer =
            Writer { key: key(1), lane: SYNC, record: Record::new(Site::shape().clone(), Vec::new()) };
        causes.begins(key(2), &writer);
        assert!(matches!(causes.of(key(2), SYNC, Version(5)), By::Run { again: false, .. }));
        let changed = Changed { key: key(2), sync: Some(Version(5)), policy: None };
        causes.ended(key(2), &writer, Some(changed));
        assert!(matches!(causes.of(key(2), SYNC, Version(5)), By::Run { again: false, .. }));
        assert!(matches!(causes.of(key(2), SYNC, Version(5)), By::Run { again: true, .. }));
        assert!(matches!(causes.of(key(2), SYNC, Version(4)), By::Unknown));
        assert!(matches!(causes.of(key(2), SYNC, Version(6)), By::Others));
        assert!(matches!(causes.of(key(2), POLICY, Version(5)), By::Others));
    }
}
