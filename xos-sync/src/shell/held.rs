//! The order in which deletions are told: deleted objects that a poll has found are held until those that depend on
//! them were looked for, too.
//!
//! A poll reads the models one after the other, targets of links first. A service that is deleted with its instances
//! would be told first, and its `delete_record` would run before theirs.

use std::mem;

use xos_model_client::{ModelId, QueryKind};

use super::Shell;
use super::answers::Answer;
use super::reads::Found;
use crate::engine::{Complete, Event, ReadId, Why};

/// Reads that have not ended for the engine yet.
#[derive(Default)]
pub(super) struct Held {
    answers: Vec<(ReadId, ModelId, Answer)>,
    ends: Vec<(ReadId, Complete)>,
}

impl Held {
    pub(super) fn keep(&mut self, read: ReadId, leaf: ModelId, answer: Answer) {
        self.answers.push((read, leaf, answer));
    }

    /// Keeps the end of a read, when something of it is kept.
    pub(super) fn end(&mut self, read: ReadId, complete: Complete) -> bool {
        let has = self.answers.iter().any(|(held, ..)| *held == read);
        if has {
            self.ends.push((read, complete));
        }
        has
    }
}

impl Shell {
    /// Whether what a scan found has to wait for the scans of other models.
    pub(super) fn is_held_back(&self, kind: QueryKind, answer: &Answer) -> bool {
        kind == QueryKind::DeletedObjects
            && self.polls.is_needed()
            && !self.reads.scans.is_empty()
            && !answer.records.is_empty()
    }

    /// All models were scanned: what depends on others was told, now these, the other way round.
    pub(super) fn tell_held(&mut self) {
        let Held { answers, ends } = mem::take(&mut self.reads.held);
        for (read, leaf, answer) in answers.into_iter().rev() {
            self.tell_records(read, &[(leaf, answer)], Why::Scan);
        }
        for (read, complete) in ends {
            self.tell(Event::ReadEnded(read, complete));
        }
    }

    /// The scan goes no further; the next one will find these again.
    pub(super) fn drop_held(&mut self) {
        for (read, _) in mem::take(&mut self.reads.held).ends {
            self.tell(Event::ReadEnded(read, Complete::Partial));
        }
    }

    /// Puts deleted objects first, those that depend on others before these; then the live ones the other way round.
    pub(super) fn in_order(&self, found: &mut [Found]) {
        let rank =
            |leaf: ModelId| self.reads.order.iter().position(|model| *model == leaf).unwrap_or_default();
        found.sort_by_key(|(leaf, status, _)| {
            let (rank, id) = (rank(*leaf) as i64, i64::from(status.id.get()));
            if status.doomed { (0, -rank, -id) } else { (1, rank, id) }
        });
    }
}
