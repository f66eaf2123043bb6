//! Taking in facts: which are news, and what they change.

use super::action::Action;
use super::backoff;
use super::entry::{Place, Rest};
use super::machine::{BUDGET, Engine, LOOK_BUDGET};
use super::runs::Phase;
use super::slab::NONE;
use super::types::{Due, Fact, Lane, Moment, ObjectKey, ReadId, Why};

impl Engine {
    /// Takes in one fact, if it is news.
    ///
    /// Two things make a fact old. Its read started before the one of what is known (`floor`); or it shows the
    /// version that was done, from a read that started before the write was answered and so may have looked
    /// before the write (`barrier`). A fact of such a read that shows *another* version is news: dropping it
    /// would lose a change that was made just after the write.
    pub(super) fn fact(&mut self, fact: &Fact<'_>, now: Moment, out: &mut Vec<Action>) {
        if self.reads.ignores(fact.read) || fact.leaf.0 as usize >= self.config.models.len() {
            return;
        }
        let idle = fact.sync == Due::No && fact.policy == Due::No && !fact.doomed;
        let slot = match self.index.find(&self.entries, fact.key) {
            Some(slot) => slot,
            None if idle && fact.recheck.is_none() && !self.reads.older_than(fact.read) => {
                if fact.why == Why::Change {
                    self.changed(fact.key);
                }
                return;
            }
            None => self.insert(fact.key),
        };
        let entry = &mut self.entries[slot];
        if fact.read < entry.floor {
            return;
        }
        entry.floor = fact.read;
        if entry.leaf != fact.leaf && !entry.busy() {
            self.unplace(slot);
            self.entries[slot].leaf = fact.leaf;
        }

        let entry = &mut self.entries[slot];
        let (was_active, did_block, was_doomed) = (entry.active(), entry.blocks(), entry.doomed());
        let sync = match fact.sync {
            Due::At(version) if !entry.due() && version == entry.version && fact.read < entry.barrier => {
                Due::No
            }
            sync => sync,
        };
        if fact.claimed {
            entry.set_claimed(true);
        }
        if fact.policy_claimed {
            entry.set_policy_claimed(true);
        }
        entry.set_policy_only(fact.policy_only);
        let policy_changed = self.policy_fact(slot, fact);
        let policy_due = self.policy_due(slot);
        let entry = &mut self.entries[slot];
        // An old fact may not know that the delete policy has run, after which nobody has anything more to do.
        let doomed = fact.doomed && (policy_due || !fact.policy_only);
        let newly_doomed = doomed && !was_doomed;
        let mut sync_changed = newly_doomed;
        entry.set_doomed(doomed);
        match sync {
            Due::At(version) => {
                sync_changed |= !entry.due() || entry.version != version;
                entry.set_due(true);
                entry.version = version;
            }
            Due::No => entry.set_due(false),
        }
        let changed = policy_changed || sync_changed;
        if changed {
            self.entries[slot].why = fact.why;
        }
        if changed && self.entries[slot].extra != NONE {
            // What it waited or paused for was about another version.
            if sync_changed {
                self.clear_watch(slot, Lane::Sync, out);
            }
            if policy_changed || newly_doomed {
                self.clear_watch(slot, Lane::Policy, out);
            }
            let extra = &mut self.extras[self.entries[slot].extra];
            (extra.not_before, extra.awaited) = (Moment(0), false);
            if fact.doomed {
                extra.recheck_at = Moment::NEVER;
            }
        }
        self.recall(slot, fact, now);
        if self.entries[slot].active() {
            self.relink(slot, fact.links, now, out);
        }
        self.restand(slot, was_active, did_block);
        self.look_again(slot, fact);
        self.supersede(slot, was_doomed, out);
        if changed || fact.why == Why::Change {
            self.changed(fact.key);
        }
        self.settle(slot, now, out);
    }

    /// A read looked for the object and there is none.
    pub(super) fn vanished(&mut self, key: ObjectKey, read: ReadId, now: Moment, out: &mut Vec<Action>) {
        let Some(slot) = self.index.find(&self.entries, key) else { return self.changed(key) };
        if read < self.entries[slot].floor || self.reads.ignores(read) {
            return;
        }
        self.entries[slot].floor = read;
        self.clear_work(slot);
        self.changed(key);
        self.tell_superseded(slot, out);
        self.settle(slot, now, out);
    }

    /// Drops what whole reads did not contain, as far as a step may look.
    pub(super) fn sweep(&mut self, now: Moment, out: &mut Vec<Action>) {
        let (mut look, mut touch) = (LOOK_BUDGET, BUDGET);
        while let Some(sweep) = self.reads.sweeps.front_mut() {
            let slot = sweep.cursor;
            if slot >= self.entries.used() {
                self.reads.sweeps.pop_front();
                continue;
            }
            if look == 0 || touch == 0 {
                self.backlog = true;
                return;
            }
            sweep.cursor += 1;
            look -= 1;
            let entry = &self.entries[slot];
            let due = entry.active() || (entry.extra != NONE && self.extras[entry.extra].policy_due);
            let missing = due
                && !entry.busy()
                && entry.place != Place::Free
                && entry.floor < sweep.read
                && sweep.models.contains(&entry.leaf);
            if missing {
                touch -= 1;
                self.clear_work(slot);
                self.settle(slot, now, out);
            }
        }
    }

    /// The policy lane's part of a fact; says whether it is another version.
    fn policy_fact(&mut self, slot: u32, fact: &Fact<'_>) -> bool {
        match fact.policy {
            Due::No => {
                let extra = self.entries[slot].extra;
                if extra != NONE {
                    self.extras[extra].policy_due = false;
                }
                false
            }
            Due::At(version) => {
                let extra = self.extra(slot);
                let extra = &mut self.extras[extra];
                let same = extra.policy_version == version && extra.policy_doomed == fact.doomed;
                if !extra.policy_due && same && fact.read < extra.policy_barrier {
                    return false;
                }
                let changed = !extra.policy_due || !same;
                (extra.policy_due, extra.policy_version) = (true, version);
                extra.policy_doomed = fact.doomed;
                changed
            }
        }
    }

    /// Whether the policy lane has something to do.
    pub(super) fn policy_due(&self, slot: u32) -> bool {
        let extra = self.entries[slot].extra;
        extra != NONE && self.extras[extra].policy_due
    }

    /// Honours the backoff of an earlier life of the program.
    fn recall(&mut self, slot: u32, fact: &Fact<'_>, now: Moment) {
        let Some(retry) = fact.retry else { return };
        let entry = &self.entries[slot];
        let same = !entry.due() || retry.version == entry.version;
        if entry.rest != NONE || entry.busy() || !entry.active() || !same || retry.attempts == 0 {
            return;
        }
        self.entries[slot].rest = self.rests.insert(Rest {
            version: retry.version,
            doomed: fact.doomed,
            next_run: retry.next_run.min(now + backoff::LONGEST),
            delay: backoff::base_delay(&self.config, retry.kind, retry.attempts),
            text: retry.text,
            attempts: retry.attempts,
            kind: retry.kind,
            stored: true,
            chain: NONE,
        });
    }

    /// Remembers when a clean object is to be looked at.
    fn look_again(&mut self, slot: u32, fact: &Fact<'_>) {
        let Some(when) = fact.recheck else { return };
        if self.entries[slot].active() || self.entries[slot].busy() {
            // Its run decides.
            return;
        }
        let extra = self.extra(slot);
        let recheck_at = &mut self.extras[extra].recheck_at;
        if *recheck_at == Moment::NEVER {
            *recheck_at = when;
        }
    }

    /// Tells the step at work on this object that it changed, or is being deleted.
    fn supersede(&mut self, slot: u32, was_doomed: bool, out: &mut Vec<Action>) {
        let entry = &self.entries[slot];
        if entry.place != Place::Running {
            return;
        }
        let newer = self.runs.at(entry.at).is_some_and(|(_, job)| match job.verb.lane() {
            Lane::Sync => entry.due() && job.version != entry.version,
            Lane::Policy => self.policy_due(slot) && job.version != self.extras[entry.extra].policy_version,
        });
        if newer || (entry.doomed() && !was_doomed) {
            self.tell_superseded(slot, out);
        }
    }

    fn tell_superseded(&mut self, slot: u32, out: &mut Vec<Action>) {
        let entry = &self.entries[slot];
        if entry.place != Place::Running {
            return;
        }
        let Some((run, _)) = self.runs.at(entry.at) else { return };
        if let Some(job) = self.runs.get_mut(run).filter(|job| job.phase == Phase::Running && !job.superseded)
        {
            job.superseded = true;
            out.push(Action::Superseded(run));
        }
    }
}
