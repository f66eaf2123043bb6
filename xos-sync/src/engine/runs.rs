//! The runs: from the start of a step until its result is stored.

use std::time::Duration;

use super::action::Store;
use super::slab::NONE;
use super::types::{ModelId, Moment, ObjectKey, Run, Verb, Version};

/// One run.
#[derive(Debug)]
pub(super) struct Job {
    life: u32,
    pub(super) phase: Phase,
    /// Its entry; [`NONE`] when leadership was lost meanwhile.
    pub(super) entry: u32,
    pub(super) key: ObjectKey,
    pub(super) leaf: ModelId,
    pub(super) verb: Verb,
    /// What a success enacts.
    pub(super) version: Version,
    /// It started because something was due, not to look again.
    pub(super) due: bool,
    pub(super) since: Moment,
    /// The number of changes when it started.
    pub(super) changes: u64,
    pub(super) superseded: bool,
    pub(super) cancelled: bool,
    /// What has to be stored.
    pub(super) store: Option<Store>,
    pub(super) recheck: Option<Duration>,
    /// Neighbours among those that run and are not cancelled, by start.
    next: u32,
    prev: u32,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The slot is free.
    Free,
    /// The step is at work.
    Running,
    /// Its result was given to the shell.
    Storing,
    /// Its result waits for the core.
    Unsent,
}

/// All runs.
#[derive(Debug)]
pub(super) struct Runs {
    jobs: Vec<Job>,
    free: Vec<u32>,
    lives: u32,
    running: usize,
    storing: usize,
    orphans: usize,
    /// The one that runs longest without having been cancelled, and the latest.
    oldest: u32,
    newest: u32,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            jobs: Vec::new(),
            free: Vec::new(),
            lives: 0,
            running: 0,
            storing: 0,
            orphans: 0,
            oldest: NONE,
            newest: NONE,
        }
    }
}

/// What a run starts with.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewJob {
    pub(super) entry: u32,
    pub(super) key: ObjectKey,
    pub(super) leaf: ModelId,
    pub(super) verb: Verb,
    pub(super) version: Version,
    pub(super) due: bool,
    pub(super) since: Moment,
    pub(super) changes: u64,
}

impl Runs {
    pub(super) fn start(&mut self, new: NewJob) -> Run {
        self.lives = self.lives.wrapping_add(1);
        let job = Job {
            life: self.lives,
            phase: Phase::Running,
            entry: new.entry,
            key: new.key,
            leaf: new.leaf,
            verb: new.verb,
            version: new.version,
            due: new.due,
            since: new.since,
            changes: new.changes,
            superseded: false,
            cancelled: false,
            store: None,
            recheck: None,
            next: NONE,
            prev: self.newest,
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.jobs[slot as usize] = job;
            slot
        } else {
            self.jobs.push(job);
            (self.jobs.len() - 1) as u32
        };
        match self.jobs.get_mut(self.newest as usize) {
            Some(before) => before.next = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
        self.running += 1;
        Run { slot, life: self.lives }
    }

    /// The run, if it is not over.
    pub(super) fn get(&self, run: Run) -> Option<&Job> {
        self.jobs.get(run.slot as usize).filter(|job| job.life == run.life && job.phase != Phase::Free)
    }

    /// The run, if it is not over.
    pub(super) fn get_mut(&mut self, run: Run) -> Option<&mut Job> {
        self.jobs.get_mut(run.slot as usize).filter(|job| job.life == run.life && job.phase != Phase::Free)
    }

    /// The run in this slot.
    pub(super) fn at(&self, slot: u32) -> Option<(Run, &Job)> {
        let job = self.jobs.get(slot as usize).filter(|job| job.phase != Phase::Free)?;
        Some((Run { slot, life: job.life }, job))
    }

    /// All that are not over.
    pub(super) fn all(&self) -> impl Iterator<Item = (Run, &Job)> {
        (0..self.jobs.len() as u32).filter_map(|slot| self.at(slot))
    }

    /// The step has ended, the result is to be stored.
    pub(super) fn finish(&mut self, run: Run, store: Store) {
        self.leave_deadlines(run);
        let Some(job) = self.get_mut(run) else { return };
        job.store = Some(store);
        if std::mem::replace(&mut job.phase, Phase::Unsent) == Phase::Running {
            self.running -= 1;
            self.storing += 1;
        }
    }

    /// The run is over.
    pub(super) fn free(&mut self, run: Run) {
        self.leave_deadlines(run);
        let Some(job) = self.get_mut(run) else { return };
        let (phase, orphan) = (std::mem::replace(&mut job.phase, Phase::Free), job.entry == NONE);
        match phase {
            Phase::Running => self.running -= 1,
            Phase::Storing | Phase::Unsent => self.storing -= 1,
            Phase::Free => {}
        }
        self.orphans -= usize::from(orphan);
        self.free.push(run.slot);
    }

    /// Its entry is no more, the step still runs.
    pub(super) fn orphan(&mut self, run: Run) {
        self.leave_deadlines(run);
        if let Some(job) = self.get_mut(run).filter(|job| job.entry != NONE) {
            job.entry = NONE;
            job.cancelled = true;
            self.orphans += 1;
        }
    }

    /// Whether a step from before leadership was lost is still at work on this object.
    pub(super) fn has_orphan(&self, key: ObjectKey) -> bool {
        self.orphans > 0 && self.all().any(|(_, job)| job.entry == NONE && job.key == key)
    }

    /// Marks a run as cancelled; it has no deadline any more.
    pub(super) fn cancel(&mut self, run: Run) {
        self.leave_deadlines(run);
        if let Some(job) = self.get_mut(run) {
            job.cancelled = true;
        }
    }

    /// The run whose deadline is next: all have the same, so the order of starts is the order of deadlines, and
    /// a start or an end sets no timer.
    pub(super) fn oldest(&self) -> Option<(Run, &Job)> {
        self.at(self.oldest)
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    pub(super) const fn storing(&self) -> usize {
        self.storing
    }

    fn leave_deadlines(&mut self, run: Run) {
        let (slot, oldest) = (run.slot, self.oldest);
        let Some(job) = self.get_mut(run) else { return };
        let (next, prev) = (job.next, job.prev);
        if prev == NONE && oldest != slot {
            return;
        }
        (job.next, job.prev) = (NONE, NONE);
        match self.jobs.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => self.oldest = next,
        }
        match self.jobs.get_mut(next as usize) {
            Some(after) => after.prev = prev,
            None => self.newest = prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(runs: &mut Runs, id: u32) -> Run {
        runs.start(NewJob {
            entry: id,
            key: ObjectKey::new(ModelId(0), id),
            leaf: ModelId(0),
            verb: Verb::SyncRecord,
            version: Version(1),
            due: true,
            since: Moment(u64::from(id)),
            changes: 0,
        })
    }

    #[test]
    fn an_answer_of_an_earlier_life_is_recognised() {
        let mut runs = Runs::default();
        let first = start(&mut runs, 1);
        runs.free(first);
        let second = start(&mut runs, 2);
        assert_eq!(first.slot, second.slot);
        assert!(runs.get(first).is_none() && runs.get(second).is_some());
        runs.free(first);
        assert_eq!(runs.running(), 1);
    }

    #[test]
    fn deadlines_come_in_the_order_of_starts() {
        let mut runs = Runs::default();
        let all: Vec<Run> = (0..5).map(|id| start(&mut runs, id)).collect();
        runs.free(all[2]);
        runs.finish(all[0], Store::Reap);
        runs.cancel(all[4]);
        runs.free(all[0]);
        let mut order = Vec::new();
        while let Some((run, job)) = runs.oldest() {
            order.push(job.entry);
            runs.cancel(run);
        }
        assert_eq!(order, [1, 3]);
        let late = start(&mut runs, 9);
        assert_eq!(runs.oldest().map(|(run, _)| run), Some(late));
        assert_eq!((runs.running(), runs.storing()), (4, 0));
    }
}
