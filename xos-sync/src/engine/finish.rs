//! What becomes of a run: its outcome, its result, its end.

use std::time::Duration;

use super::action::{Action, Note, Part, Store};
use super::backoff;
use super::entry::{Place, Rest};
use super::event::{Outcome, StoreFault};
use super::machine::Engine;
use super::runs::Phase;
use super::slab::NONE;
use super::types::{Due, Fact, FailureKind, Lane, Moment, ObjectKey, Run, TextHash, Verb, Version};
use super::watch::Until;

impl Engine {
    /// The run works on what this fact says.
    pub(super) fn fetched(&mut self, run: Run, fact: &Fact<'_>, now: Moment, out: &mut Vec<Action>) {
        let Some(job) = self.runs.get_mut(run).filter(|job| job.phase == Phase::Running) else { return };
        if job.entry == NONE || job.key != fact.key {
            return;
        }
        let due = match job.verb.lane() {
            Lane::Sync => fact.sync,
            Lane::Policy => fact.policy,
        };
        if let Due::At(version) = due {
            // A re-check that finds a change is a run like any other.
            (job.version, job.due) = (version, true);
        }
        self.fact(fact, now, out);
    }

    /// The step has ended.
    pub(super) fn finished(&mut self, run: Run, outcome: Outcome, now: Moment, out: &mut Vec<Action>) {
        let Some(job) = self.runs.get(run).filter(|job| job.phase == Phase::Running) else { return };
        let (slot, key, verb, version, due, changes) =
            (job.entry, job.key, job.verb, job.version, job.due, job.changes);
        self.use_limits(job.leaf, verb.lane(), false);
        if slot == NONE {
            self.runs.free(run);
            if let Some(slot) = self.index.find(&self.entries, key) {
                self.settle(slot, now, out);
            }
            return;
        }
        match outcome {
            Outcome::Done { recheck } => {
                // Only a success proves that the claim was stored. Claiming twice does no harm.
                match verb {
                    Verb::SyncRecord => self.entries[slot].set_claimed(true),
                    Verb::HandleChange => self.entries[slot].set_policy_claimed(true),
                    Verb::DeleteRecord | Verb::HandleDelete => {}
                }
                if let Some(job) = self.runs.get_mut(run) {
                    job.recheck = recheck;
                }
                match verb {
                    Verb::DeleteRecord => self.store(run, Store::Reap, out),
                    // Nothing reads the status of a deleted object, and its deletion is waiting. To store that it is
                    // policed would say that its delete policy has run.
                    Verb::SyncRecord | Verb::HandleChange if self.entries[slot].doomed() => {
                        self.over(run, now, out);
                    }
                    // Somebody resurrected it.
                    Verb::HandleDelete if !self.entries[slot].doomed() => self.over(run, now, out),
                    // What another program's step has claimed is that one's to reap.
                    Verb::HandleDelete
                        if self.entries[slot].policy_only() && !self.entries[slot].claimed() =>
                    {
                        self.store(run, Store::Reap, out);
                    }
                    _ if self.has_to_enact(slot, verb, due) => {
                        self.store(run, Store::Success { as_fetched: version }, out);
                    }
                    _ => {
                        let lane = verb.lane();
                        if lane == Lane::Sync {
                            self.set_recheck(slot, recheck, now);
                        }
                        self.forget_rest(slot, lane);
                        self.over(run, now, out);
                    }
                }
            }
            Outcome::Failed { kind, retry_after, text } => {
                self.failed(run, kind, retry_after, text, now, out);
            }
            Outcome::Panicked { text } => self.failed(run, FailureKind::Failed, None, text, now, out),
            Outcome::TimedOut => {
                self.failed(run, FailureKind::Failed, None, TextHash::of("timed out"), now, out);
            }
            Outcome::WaitFor { key: target, at_most } => {
                let until = now + at_most.min(backoff::LONGEST);
                if target == key {
                    self.pause_entry(slot, until);
                } else if self.changed_since(target, changes) {
                    // It changed while the step was looking: sleeping now would miss it.
                    let extra = self.extra(slot);
                    self.extras[extra].awaited = true;
                } else {
                    self.set_watch(slot, verb.lane(), target, Until::Changed, until, out);
                }
                if !due {
                    self.set_recheck(slot, Some(Duration::ZERO), now);
                }
                self.over(run, now, out);
            }
            Outcome::WaitUntil { key: target, at_most, show } => {
                let lane = verb.lane();
                let is_outdated =
                    self.entries[slot].doomed() && matches!(verb, Verb::SyncRecord | Verb::HandleChange);
                if is_outdated {
                    // Its deletion does not wait for what the step waits for.
                    return self.over(run, now, out);
                }
                let end = now + at_most.min(backoff::LONGEST);
                self.set_watch(slot, lane, target, Until::Met, end, out);
                if !due {
                    self.set_recheck(slot, Some(Duration::ZERO), now);
                }
                if !show {
                    return self.over(run, now, out);
                }
                let rest = self.rest_of(slot, lane);
                if rest != NONE {
                    // The core will not show that failure any more.
                    self.rests[rest].stored = false;
                }
                if lane == Lane::Sync && !due {
                    let extra = self.extra(slot);
                    self.extras[extra].shows_wait = true;
                }
                self.store(run, Store::Waiting, out);
            }
            Outcome::Interrupted => {
                if !due {
                    self.set_recheck(slot, Some(Duration::ZERO), now);
                }
                self.pause_entry(slot, now + self.config.pause);
                self.over(run, now, out);
            }
            Outcome::Skipped => {
                // Without newer facts it would be skipped again at once.
                let entry = &self.entries[slot];
                let extra = self.policy_due(slot).then(|| &self.extras[entry.extra]);
                let policy_due = extra.is_some_and(|extra| extra.policy_version == version);
                let same = match verb {
                    Verb::SyncRecord => entry.blocks() && entry.version == version,
                    Verb::DeleteRecord => entry.doomed() && extra.is_none(),
                    Verb::HandleChange => policy_due && !entry.doomed(),
                    Verb::HandleDelete => policy_due && entry.doomed(),
                };
                if same {
                    self.pause_entry(slot, now + self.config.pause);
                }
                self.over(run, now, out);
            }
            Outcome::Gone => {
                self.gone(slot);
                self.over(run, now, out);
            }
        }
    }

    /// The result is stored, or not.
    pub(super) fn stored(
        &mut self,
        run: Run,
        result: Result<Version, StoreFault>,
        now: Moment,
        out: &mut Vec<Action>,
    ) {
        let Some(job) = self.runs.get_mut(run).filter(|job| job.phase == Phase::Storing) else { return };
        let (slot, key, verb, version, recheck) = (job.entry, job.key, job.verb, job.version, job.recheck);
        let lane = verb.lane();
        let Some(what) = job.store else { return };
        match result {
            Ok(stored) => {
                match what {
                    Store::Success { .. } => {
                        self.done(slot, verb, stored);
                        if lane == Lane::Sync {
                            self.set_recheck(slot, recheck, now);
                            let extra = self.entries[slot].extra;
                            if extra != NONE {
                                self.extras[extra].shows_wait = false;
                            }
                        }
                        self.changed(key);
                    }
                    Store::Failure { .. } => {
                        self.entries[slot].barrier = self.reads.barrier();
                        let rest = self.rest_of(slot, lane);
                        if rest != NONE {
                            self.rests[rest].stored = true;
                        }
                    }
                    Store::Waiting => self.entries[slot].barrier = self.reads.barrier(),
                    Store::Reap => self.gone(slot),
                }
                self.over(run, now, out);
            }
            Err(StoreFault::Away) => {
                job.phase = Phase::Unsent;
                if self.core_up {
                    self.resend = self.resend.min(now + self.config.pause);
                }
            }
            Err(StoreFault::Conflict) => {
                // What changed will be told as facts; until then it would only happen again.
                if self.entries[slot].version == version {
                    self.pause_entry(slot, now + self.config.pause);
                }
                self.over(run, now, out);
            }
            Err(StoreFault::Rejected { text }) => {
                if matches!(what, Store::Failure { .. } | Store::Waiting) {
                    // Its backoff, or its wait, counts all the same.
                    self.over(run, now, out);
                } else {
                    // A success may have been stored all the same, and taken back what showed a failure.
                    let rest = self.rest_of(slot, lane);
                    if rest != NONE {
                        self.rests[rest].stored = false;
                    }
                    self.failed(run, FailureKind::Failed, None, text, now, out);
                }
            }
            Err(StoreFault::Gone) => {
                self.gone(slot);
                self.over(run, now, out);
            }
        }
    }

    /// What failed is tried again as if its delay were over.
    pub(super) fn retry(&mut self, key: ObjectKey, now: Moment, out: &mut Vec<Action>) {
        let Some(slot) = self.index.find(&self.entries, key) else { return };
        for lane in [Lane::Policy, Lane::Sync] {
            let rest = self.rest_of(slot, lane);
            if rest != NONE {
                self.rests[rest].next_run = now;
            }
        }
        self.settle(slot, now, out);
    }

    /// Counts a failure and stores what is new about it.
    fn failed(
        &mut self,
        run: Run,
        kind: FailureKind,
        retry_after: Option<Duration>,
        text: TextHash,
        now: Moment,
        out: &mut Vec<Action>,
    ) {
        let Some(job) = self.runs.get(run) else { return };
        let (slot, key, verb, version, due) = (job.entry, job.key, job.verb, job.version, job.due);
        let lane = verb.lane();
        let deleting = matches!(verb, Verb::DeleteRecord | Verb::HandleDelete);
        if self.entries[slot].doomed() && !deleting {
            // Its deletion is waiting, and has its own attempts.
            return self.over(run, now, out);
        }
        let mut rest = self.rest_of(slot, lane);
        if rest == NONE {
            rest = self.rests.insert(Rest::default());
            match lane {
                Lane::Sync => self.entries[slot].rest = rest,
                Lane::Policy => {
                    let extra = self.extra(slot);
                    self.extras[extra].policy_rest = rest;
                }
            }
        }
        let before = &self.rests[rest];
        let same_work = before.attempts > 0 && before.matches(version, deleting);
        let attempts = if same_work { before.attempts.saturating_add(1) } else { 1 };
        let base = retry_after.map_or_else(
            || backoff::base_delay(&self.config, kind, attempts),
            |wish| wish.min(backoff::LONGEST),
        );
        let delay =
            if retry_after.is_some() { base } else { backoff::delay(&self.config, kind, attempts, key) };
        let shown = before.stored && before.text == text && before.kind == kind;
        let grows = !same_work || base > before.delay;
        let next_run = now + delay;
        self.rests[rest] = Rest {
            version,
            doomed: deleting,
            next_run,
            delay: base,
            text,
            attempts,
            kind,
            stored: before.stored,
            chain: NONE,
        };
        if !due {
            self.set_recheck(slot, Some(delay), now);
        }
        if attempts == 1 && self.entries[slot].waiters != NONE {
            out.push(Action::Note(Note::Blocking { key, waiters: self.count_waiters(slot) }));
        }
        // A policy has no register: its backoff is kept in memory alone.
        if shown && (!grows || lane == Lane::Policy) {
            return self.over(run, now, out);
        }
        let part = if shown { Part::Register } else { Part::Whole };
        self.store(run, Store::Failure { kind, attempts, delay, next_run, version, part }, out);
    }

    /// The step is over, its result has to be stored.
    fn store(&mut self, run: Run, what: Store, out: &mut Vec<Action>) {
        self.runs.finish(run, what);
        if let Some(slot) = self.runs.get(run).map(|job| job.entry) {
            self.set_place(slot, Place::Storing);
        }
        self.send_result(run, out);
    }

    /// The run is over, the object is free.
    fn over(&mut self, run: Run, now: Moment, out: &mut Vec<Action>) {
        let Some(slot) = self.runs.get(run).map(|job| job.entry) else { return };
        self.runs.free(run);
        self.entries[slot].at = NONE;
        self.set_place(slot, Place::Idle);
        self.settle(slot, now, out);
    }

    /// This version of a lane is done. Whatever was told of a newer one stays due.
    fn done(&mut self, slot: u32, verb: Verb, version: Version) {
        let barrier = self.reads.barrier();
        self.forget_rest(slot, verb.lane());
        let entry = &mut self.entries[slot];
        let (was_active, did_block) = (entry.active(), entry.blocks());
        match verb.lane() {
            Lane::Sync => {
                if !entry.due() || entry.version == version {
                    entry.set_due(false);
                    entry.version = version;
                    entry.barrier = barrier;
                }
                self.restand(slot, was_active, did_block);
            }
            Lane::Policy => {
                if entry.extra == NONE {
                    return;
                }
                let doomed = verb == Verb::HandleDelete;
                let extra = &mut self.extras[entry.extra];
                let same = extra.policy_version == version && extra.policy_doomed == doomed;
                if extra.policy_due && !same {
                    return;
                }
                (extra.policy_due, extra.policy_version) = (false, version);
                (extra.policy_doomed, extra.policy_barrier) = (doomed, barrier);
                if entry.policy_only() {
                    entry.set_doomed(false);
                    self.restand(slot, was_active, did_block);
                }
            }
        }
    }

    /// The object does not exist any more, or is in the hands of the reaper: no read that is under way counts.
    pub(super) fn gone(&mut self, slot: u32) {
        let barrier = self.reads.barrier();
        let key = self.entries[slot].key;
        let entry = &mut self.entries[slot];
        (entry.floor, entry.barrier) = (barrier, barrier);
        self.clear_work(slot);
        self.changed(key);
    }

    /// Nothing is due any more, in no lane.
    pub(super) fn clear_work(&mut self, slot: u32) {
        let entry = &mut self.entries[slot];
        let (was_active, did_block) = (entry.active(), entry.blocks());
        entry.set_due(false);
        entry.set_doomed(false);
        if entry.extra != NONE {
            let extra = &mut self.extras[entry.extra];
            extra.policy_due = false;
            extra.recheck_at = Moment::NEVER;
        }
        self.restand(slot, was_active, did_block);
    }

    fn set_recheck(&mut self, slot: u32, after: Option<Duration>, now: Moment) {
        if after.is_some() || self.entries[slot].extra != NONE {
            let extra = self.extra(slot);
            self.extras[extra].recheck_at = after.map_or(Moment::NEVER, |after| now + after);
        }
    }

    fn pause_entry(&mut self, slot: u32, until: Moment) {
        let extra = self.extra(slot);
        self.extras[extra].not_before = until;
    }

    fn rest_of(&self, slot: u32, lane: Lane) -> u32 {
        let entry = &self.entries[slot];
        match lane {
            Lane::Sync => entry.rest,
            Lane::Policy if entry.extra != NONE => self.extras[entry.extra].policy_rest,
            Lane::Policy => NONE,
        }
    }

    fn forget_rest(&mut self, slot: u32, lane: Lane) {
        let rest = self.rest_of(slot, lane);
        if rest == NONE {
            return;
        }
        self.rests.remove(rest);
        let entry = &mut self.entries[slot];
        match lane {
            Lane::Sync => entry.rest = NONE,
            Lane::Policy => self.extras[entry.extra].policy_rest = NONE,
        }
    }

    /// Whether a success has to be stored: the object is still dirty, or a re-check clears a failure that the
    /// core shows. If somebody else enacted it meanwhile, writing our older version would undo that.
    fn has_to_enact(&self, slot: u32, verb: Verb, due: bool) -> bool {
        let entry = &self.entries[slot];
        match verb.lane() {
            Lane::Policy => self.policy_due(slot),
            Lane::Sync if due => entry.due(),
            Lane::Sync => {
                let shows_wait = entry.extra != NONE && self.extras[entry.extra].shows_wait;
                entry.due() || shows_wait || (entry.rest != NONE && self.rests[entry.rest].stored)
            }
        }
    }

    fn count_waiters(&mut self, slot: u32) -> u32 {
        let first = self.entries[slot].waiters;
        let (mut at, mut count) = (first, 0);
        while count < 100 {
            count += 1;
            at = self.entries[at].next;
            if at == first {
                break;
            }
        }
        count
    }
}
