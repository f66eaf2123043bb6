//! Which reads are under way, and which models have been read.

use std::collections::VecDeque;

use super::config::Config;
use super::event::Complete;
use super::types::{ModelId, ReadId};

/// The reads.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Those under way, in order.
    open: Vec<(ReadId, Box<[ModelId]>)>,
    /// The latest that was started.
    latest: ReadId,
    /// Reads up to this one were started before a gap: they do not show that a model is known.
    gap: ReadId,
    /// Reads up to this one were started before leadership was lost: their facts are dropped.
    ignored: ReadId,
    models: Vec<Known>,
    /// Whole reads whose missing entries are being dropped.
    pub(super) sweeps: VecDeque<Sweep>,
}

/// What is known of a model.
#[derive(Debug, Default)]
struct Known {
    observed: bool,
    /// A whole read has ended since the last gap.
    read: bool,
    needs: Vec<ModelId>,
    needed_by: Vec<ModelId>,
    /// Models among `needs` that are not read.
    unread: usize,
    /// Models among `needed_by` that are not read.
    unread_by: usize,
}

/// The entries are looked through for what a whole read did not contain.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) read: ReadId,
    pub(super) models: Box<[ModelId]>,
    /// Slots below were looked at.
    pub(super) cursor: u32,
}

impl Reads {
    pub(super) fn new(config: &Config) -> Self {
        let mut models: Vec<Known> = config
            .models
            .iter()
            .map(|model| Known { observed: model.observed, needs: model.needs.clone(), ..Known::default() })
            .collect();
        for (at, model) in config.models.iter().enumerate() {
            for need in &model.needs {
                if let Some(needed) = models.get_mut(need.0 as usize) {
                    needed.needed_by.push(ModelId(at as u16));
                }
            }
        }
        let mut reads = Self { models, ..Self::default() };
        reads.forget();
        reads
    }

    pub(super) fn started(&mut self, read: ReadId, models: &[ModelId]) {
        self.latest = self.latest.max(read);
        let at = self.open.partition_point(|(open, _)| *open < read);
        self.open.insert(at, (read, models.into()));
    }

    /// Takes an ended read off the list; says whether it opened the way for a model.
    pub(super) fn ended(&mut self, read: ReadId, complete: Complete) -> bool {
        let Some(at) = self.open.iter().position(|(open, _)| *open == read) else { return false };
        let (_, models) = self.open.remove(at);
        if complete == Complete::Partial || models.is_empty() || read <= self.ignored {
            return false;
        }
        let mut opened = false;
        if read > self.gap {
            for model in &models {
                if let Some(known) = self.models.get_mut(model.0 as usize) {
                    opened |= !std::mem::replace(&mut known.read, true);
                }
            }
        }
        self.sweeps.push_back(Sweep { read, models, cursor: 0 });
        if opened {
            self.count_unread();
        }
        opened
    }

    /// Facts of a read that starts from now on are newer than all that happened so far.
    pub(super) fn barrier(&self) -> ReadId {
        ReadId(self.latest.0 + 1)
    }

    /// Whether a read that started before `read` is under way.
    pub(super) fn older_than(&self, read: ReadId) -> bool {
        self.open.first().is_some_and(|(open, _)| *open < read)
    }

    /// Changes may have been missed: every model has to be read again by a read that starts from now on.
    pub(super) fn forget(&mut self) {
        self.gap = self.latest;
        for model in &mut self.models {
            model.read = !model.observed;
        }
        self.count_unread();
    }

    /// Leadership was lost: also the facts of the reads under way are worth nothing.
    pub(super) fn ignore_open(&mut self) {
        self.ignored = self.latest;
        self.sweeps.clear();
        self.forget();
    }

    pub(super) fn ignores(&self, read: ReadId) -> bool {
        self.ignored != ReadId(0) && read <= self.ignored
    }

    /// Whether objects of this model may be synced: what they depend on has been read.
    pub(super) fn may_sync(&self, model: ModelId) -> bool {
        self.models.get(model.0 as usize).is_some_and(|known| known.unread == 0)
    }

    /// Whether objects of this model may be deleted: what may depend on them has been read.
    pub(super) fn may_delete(&self, model: ModelId) -> bool {
        self.models.get(model.0 as usize).is_some_and(|known| known.unread_by == 0)
    }

    /// The unread models that keep objects of this one from being synced or deleted.
    pub(super) fn unread(&self, model: ModelId, delete: bool) -> impl Iterator<Item = ModelId> {
        self.models
            .get(model.0 as usize)
            .map_or(&[][..], |known| if delete { &known.needed_by } else { &known.needs })
            .iter()
            .copied()
            .filter(|need| !self.is_read(*need))
    }

    /// Whether every observed model has been read.
    pub(super) fn all_read(&self) -> bool {
        self.models.iter().all(|known| known.read)
    }

    /// The observed models, targets first; a circle is entered at its first model.
    pub(super) fn order(&self) -> Box<[ModelId]> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.models.len()];
        for at in 0..self.models.len() {
            // A stack of its own: the depth of a model graph comes from outside.
            let mut stack = vec![(at, 0)];
            while let Some((model, next)) = stack.pop() {
                if next == 0 && std::mem::replace(&mut seen[model], true) {
                    continue;
                }
                if let Some(need) = self.models[model].needs.get(next) {
                    stack.push((model, next + 1));
                    if (need.0 as usize) < self.models.len() {
                        stack.push((need.0 as usize, 0));
                    }
                } else if self.models[model].observed {
                    order.push(ModelId(model as u16));
                }
            }
        }
        order.into()
    }

    fn is_read(&self, model: ModelId) -> bool {
        self.models.get(model.0 as usize).is_none_or(|known| known.read)
    }

    fn count_unread(&mut self) {
        for at in 0..self.models.len() {
            let count = |list: &[ModelId]| list.iter().filter(|model| !self.is_read(**model)).count();
            let (needs, by) = (count(&self.models[at].needs), count(&self.models[at].needed_by));
            (self.models[at].unread, self.models[at].unread_by) = (needs, by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Model;
    use super::*;

    fn reads(needs: &[&[u16]]) -> Reads {
        let models = needs
            .iter()
            .map(|needs| Model {
                name: String::new(),
                observed: true,
                needs: needs.iter().map(|&m| ModelId(m)).collect(),
            })
            .collect();
        Reads::new(&Config { models, ..Config::default() })
    }

    #[test]
    fn targets_are_read_first() {
        let check = |needs: &[&[u16]], expected: &[u16]| {
            assert_eq!(reads(needs).order().iter().map(|m| m.0).collect::<Vec<_>>(), expected);
        };
        check(&[], &[]);
        check(&[&[1], &[2], &[]], &[2, 1, 0]);
        check(&[&[1, 2], &[], &[1, 9]], &[1, 2, 0]);
        check(&[&[1], &[0], &[2]], &[1, 0, 2]);
    }

    #[test]
    fn a_model_is_known_when_a_read_that_started_after_the_gap_has_ended() {
        let mut reads = reads(&[&[1], &[]]);
        let both = [ModelId(0), ModelId(1)];
        assert!(!reads.may_sync(ModelId(0)) && reads.may_sync(ModelId(1)) && !reads.may_delete(ModelId(1)));
        reads.started(ReadId(1), &both);
        assert!(!reads.ended(ReadId(1), Complete::Partial));
        reads.started(ReadId(2), &both);
        reads.started(ReadId(3), &[]);
        reads.forget();
        assert!(!reads.ended(ReadId(2), Complete::Whole));
        assert!(!reads.ended(ReadId(3), Complete::Whole));
        reads.started(ReadId(4), &both[1..]);
        assert!(reads.ended(ReadId(4), Complete::Whole));
        assert!(reads.may_sync(ModelId(0)) && !reads.may_delete(ModelId(1)) && !reads.all_read());
        assert_eq!(reads.unread(ModelId(1), true).collect::<Vec<_>>(), [ModelId(0)]);
        reads.started(ReadId(5), &both[..1]);
        assert!(reads.ended(ReadId(5), Complete::Whole) && reads.all_read());
        assert!(!reads.ended(ReadId(5), Complete::Whole));
    }

    #[test]
    fn the_oldest_read_decides_what_is_kept() {
        let mut reads = reads(&[]);
        reads.started(ReadId(3), &[]);
        reads.started(ReadId(5), &[]);
        assert_eq!(reads.barrier(), ReadId(6));
        assert!(reads.older_than(ReadId(4)) && !reads.older_than(ReadId(3)));
        reads.ended(ReadId(3), Complete::Partial);
        assert!(reads.older_than(ReadId(6)) && !reads.older_than(ReadId(5)));
    }
}
