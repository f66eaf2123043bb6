//! Where each entry belongs: ready, waiting for another one, resting, or done.
//!
//! An entry that has to wait stands in the ring of *one* entry it waits for. When that one is done, it looks
//! for another, and is ready if there is none. So waking costs nothing for those that wait for something else,
//! and the waits form a graph in which each entry points to at most one other: a circle in it is found by
//! walking along, and one can only be closed by an entry that is waited for itself.

use super::action::{Action, Note};
use super::entry::{Class, Entry, Place, Rest};
use super::index::mix;
use super::machine::{BUDGET, Engine, LOOK_BUDGET};
use super::slab::{NONE, push, unlink};
use super::types::{Lane, Moment, ObjectKey, ReadId, Verb, Version, Why};

/// What an entry has to do next, were nothing in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Nothing,
    Later(Moment),
    Now {
        verb: Verb,
        class: Class,
        why: Why,
        /// Failures so far.
        attempts: u16,
        /// When the other lane is due.
        also: Moment,
    },
}

impl Engine {
    /// Puts an entry where it belongs. Whoever changes anything about an entry calls this afterwards; a busy
    /// entry is left alone until its run is over.
    pub(super) fn settle(&mut self, slot: u32, now: Moment, out: &mut Vec<Action>) {
        let place = self.entries[slot].place;
        if matches!(place, Place::Free | Place::Running | Place::Storing) {
            return;
        }
        match self.task(slot, now) {
            Task::Nothing => {
                self.unplace(slot);
                self.alarms.clear(&mut self.entries, slot);
                self.retire(slot, out);
            }
            Task::Later(when) => {
                if place != Place::Resting {
                    self.unplace(slot);
                    self.set_place(slot, Place::Resting);
                }
                self.alarms.set(&mut self.entries, slot, when);
            }
            Task::Now { verb, class, also, .. } => {
                self.alarms.set(&mut self.entries, slot, also);
                if self.is_held(self.entries[slot].key) {
                    self.unplace(slot);
                    self.set_place(slot, Place::Held);
                } else if let Some(target) = self.blocker(slot, verb) {
                    self.wait(slot, target);
                } else if place != Place::Ready
                    || self.entries[slot].class != class
                    || self.entries[slot].ready_lane() != verb.lane()
                {
                    self.unplace(slot);
                    self.entries[slot].class = class;
                    self.entries[slot].set_ready_lane(verb.lane());
                    self.set_place(slot, Place::Ready);
                    self.rings.push(&mut self.entries, slot);
                }
            }
        }
    }

    /// What this entry has to do next.
    pub(super) fn task(&self, slot: u32, now: Moment) -> Task {
        let entry = &self.entries[slot];
        let (mut also, mut pause, mut awaited, mut recheck) =
            (Moment::NEVER, Moment(0), false, Moment::NEVER);
        let sleep = |lane| self.watch(slot, lane).map_or(Moment(0), |watch| watch.end);
        if entry.extra != NONE {
            let extra = &self.extras[entry.extra];
            (pause, awaited, recheck) = (extra.not_before, extra.awaited, extra.recheck_at);
            if extra.policy_due {
                let rest = self.rest(extra.policy_rest, extra.policy_version, entry.doomed());
                let verb = if entry.doomed() { Verb::HandleDelete } else { Verb::HandleChange };
                match plan(entry, verb, rest, pause.max(sleep(Lane::Policy)), now) {
                    Ok((class, attempts)) => {
                        return Task::Now { verb, class, why: why(entry, awaited, attempts), attempts, also };
                    }
                    // The delete policy comes before delete_record, also when it needs several attempts. For a
                    // live object a failing policy does not keep the step from running.
                    Err(when) if entry.doomed() => return Task::Later(when),
                    Err(when) => also = when,
                }
            }
        }
        let rest = self.rest(entry.rest, entry.version, entry.doomed());
        if entry.due() || (entry.doomed() && !entry.policy_only()) {
            let verb = if entry.doomed() { Verb::DeleteRecord } else { Verb::SyncRecord };
            return match plan(entry, verb, rest, pause.max(sleep(Lane::Sync)), now) {
                Ok((class, attempts)) => {
                    Task::Now { verb, class, why: why(entry, awaited, attempts), attempts, also }
                }
                Err(when) => Task::Later(when.min(also)),
            };
        }
        if recheck != Moment::NEVER {
            let when = recheck.max(pause).max(sleep(Lane::Sync));
            if when > now {
                return Task::Later(when.min(also));
            }
            let attempts = rest.map_or(0, |rest| rest.attempts);
            let class = if attempts > 0 { Class::Retry } else { Class::Recheck };
            return Task::Now { verb: Verb::SyncRecord, class, why: Why::Recheck, attempts, also };
        }
        if also == Moment::NEVER { Task::Nothing } else { Task::Later(also) }
    }

    /// The failures of a lane, if they are about this version.
    pub(super) fn rest(&self, rest: u32, version: Version, doomed: bool) -> Option<&Rest> {
        if rest == NONE {
            return None;
        }
        Some(&self.rests[rest]).filter(|rest| rest.matches(version, doomed))
    }

    /// An entry this one has to wait for, if any.
    pub(super) fn blocker(&self, slot: u32, verb: Verb) -> Option<u32> {
        let entry = &self.entries[slot];
        match verb {
            Verb::SyncRecord if entry.due() => self
                .edges
                .outgoing(entry.first_out)
                .find(|edge| !edge.void && self.entries[edge.to].blocks())
                .map(|edge| edge.to),
            // Links exist only while the object that has them is dirty or doomed.
            Verb::DeleteRecord => {
                self.edges.incoming(entry.first_in).find(|edge| !edge.void).map(|edge| edge.from)
            }
            _ => None,
        }
    }

    pub(super) fn is_held(&self, key: ObjectKey) -> bool {
        (!self.paused_objects.is_empty() && self.paused_objects.contains(&key)) || self.runs.has_orphan(key)
    }

    /// Stands in the ring of an entry to wait for.
    pub(super) fn wait(&mut self, slot: u32, target: u32) {
        if self.entries[slot].place == Place::Waiting && self.entries[slot].at == target {
            return;
        }
        self.unplace(slot);
        self.set_place(slot, Place::Waiting);
        self.entries[slot].at = target;
        let ring = self.entries[target].waiters;
        self.entries[target].waiters = push(&mut self.entries, ring, slot);
        if self.entries[slot].waiters != NONE {
            self.suspects.push_back((slot, target, 0));
        }
    }

    /// Takes an entry out of the ring it is in.
    pub(super) fn unplace(&mut self, slot: u32) {
        match self.entries[slot].place {
            Place::Ready => self.rings.remove(&mut self.entries, slot),
            Place::Waiting => {
                let target = std::mem::replace(&mut self.entries[slot].at, NONE);
                let ring = self.entries[target].waiters;
                self.entries[target].waiters = unlink(&mut self.entries, ring, slot);
            }
            Place::Tomb => self.tombs = unlink(&mut self.entries, self.tombs, slot),
            _ => {}
        }
        self.set_place(slot, Place::Idle);
    }

    pub(super) fn set_place(&mut self, slot: u32, place: Place) {
        let old = std::mem::replace(&mut self.entries[slot].place, place);
        self.places[old as usize] -= 1;
        self.places[place as usize] += 1;
    }

    /// An entry for this key, in no ring and with nothing due.
    pub(super) fn insert(&mut self, key: ObjectKey) -> u32 {
        let slot = self.entries.insert(Entry::new(key));
        self.places[Place::Idle as usize] += 1;
        self.index.insert(&mut self.entries, slot);
        slot
    }

    /// Gives the entry these links; says nothing to those it does not link to any more but did block.
    pub(super) fn relink(&mut self, slot: u32, links: &[ObjectKey], now: Moment, out: &mut Vec<Action>) {
        let key = self.entries[slot].key;
        let wanted = links.iter().rev().filter(|&&link| link != key);
        let has = self.edges.outgoing(self.entries[slot].first_out).map(|edge| &self.entries[edge.to].key);
        if has.eq(wanted) {
            return;
        }
        let mut before = Vec::new();
        while let Some(target) = self.edges.remove_first(&mut self.entries, slot) {
            before.push(target);
        }
        for &link in links {
            if link != key {
                let target = self.index.find(&self.entries, link).unwrap_or_else(|| self.insert(link));
                self.edges.add(&mut self.entries, slot, target);
            }
        }
        for target in before {
            let entry = &self.entries[target];
            if entry.place == Place::Waiting && entry.at == slot {
                self.settle(target, now, out);
            } else {
                self.release_idle(target);
            }
        }
    }

    /// After `due` or `doomed` of an entry changed: drops the links of one that is clean, wakes those that
    /// waited for it.
    pub(super) fn restand(&mut self, slot: u32, was_active: bool, did_block: bool) {
        let (active, blocks) = (self.entries[slot].active(), self.entries[slot].blocks());
        if was_active && !active {
            while let Some(target) = self.edges.remove_first(&mut self.entries, slot) {
                self.release_idle(target);
            }
        }
        if (!was_active || active) && (!did_block || blocks) {
            return;
        }
        let entry = &mut self.entries[slot];
        if entry.thawing() {
            // Those that went on waiting in this round have to look again.
            if let Some(job) = self.thaw.front_mut().filter(|job| job.0 == slot) {
                job.1 = NONE;
            }
        } else if entry.waiters != NONE {
            entry.set_thawing(true);
            self.thaw.push_back((slot, NONE));
        }
    }

    /// Lets entries look again whether they have to wait, as many as a step may.
    pub(super) fn thaw_some(&mut self, now: Moment, out: &mut Vec<Action>) {
        let mut budget = BUDGET;
        while let Some(&(slot, again)) = self.thaw.front() {
            let head = self.entries[slot].waiters;
            if !self.entries[slot].thawing() || head == NONE || head == again {
                self.entries[slot].set_thawing(false);
                self.thaw.pop_front();
                self.release_idle(slot);
                continue;
            }
            if budget == 0 {
                self.backlog = true;
                return;
            }
            budget -= 1;
            self.unplace(head);
            self.settle(head, now, out);
            // Of those that go on waiting here the first marks the end of the round.
            let waits = |at: u32| self.entries[at].place == Place::Waiting && self.entries[at].at == slot;
            if waits(head)
                && (again == NONE || !waits(again))
                && let Some(job) = self.thaw.front_mut()
            {
                job.1 = head;
            }
        }
        while let Some(&slot) = self.alerts.front() {
            let watcher = self.first_watcher(slot);
            if watcher == NONE {
                self.alerts.pop_front();
                continue;
            }
            if budget == 0 {
                self.backlog = true;
                return;
            }
            budget -= 1;
            let (waiting, lane) = (self.watches[watcher].entry, self.watches[watcher].lane);
            self.end_watch(waiting, lane, out);
            self.settle(waiting, now, out);
        }
    }

    /// Nothing is due: what was kept for the work goes.
    fn retire(&mut self, slot: u32, out: &mut Vec<Action>) {
        let rest = std::mem::replace(&mut self.entries[slot].rest, NONE);
        if rest != NONE {
            self.rests.remove(rest);
        }
        let extra = self.entries[slot].extra;
        if extra != NONE {
            let rest = std::mem::replace(&mut self.extras[extra].policy_rest, NONE);
            if rest != NONE {
                self.rests.remove(rest);
            }
            self.clear_watches(slot, out);
        }
        self.release(slot);
    }

    /// Lets go of an entry with nothing due, unless something refers to it or older reads may tell of it.
    pub(super) fn release(&mut self, slot: u32) {
        let entry = &self.entries[slot];
        let extra = entry.extra;
        if entry.first_in != NONE || entry.waiters != NONE || entry.thawing() || self.is_watched(slot) {
            return;
        }
        if self.is_doubted(slot) {
            self.set_place(slot, Place::Tomb);
            self.tombs = push(&mut self.entries, self.tombs, slot);
            return;
        }
        if extra != NONE {
            self.extras.remove(extra);
        }
        self.index.remove(&mut self.entries, slot);
        self.places[Place::Idle as usize] -= 1;
        self.entries.remove(slot);
    }

    /// Whether a read is under way that may tell about it what was true before.
    pub(super) fn is_doubted(&self, slot: u32) -> bool {
        let entry = &self.entries[slot];
        let policy = if entry.extra == NONE { ReadId(0) } else { self.extras[entry.extra].policy_barrier };
        self.reads.older_than(entry.floor.max(entry.barrier).max(policy))
    }

    /// Lets go of an entry that only was referred to.
    pub(super) fn release_idle(&mut self, slot: u32) {
        if self.entries[slot].place == Place::Idle {
            self.release(slot);
        }
    }

    /// Follows the waits from entries that may have closed a circle, as far as a step may.
    pub(super) fn search_circles(&mut self, now: Moment, out: &mut Vec<Action>) {
        let mut budget = LOOK_BUDGET;
        while let Some((slot, mut at, mut length)) = self.suspects.pop_front() {
            while at != slot && self.entries[at].place == Place::Waiting {
                if budget == 0 {
                    self.suspects.push_back((slot, at, length));
                    self.backlog = true;
                    return;
                }
                budget -= 1;
                length += 1;
                // As long as there are entries, it runs in a circle that another suspect has closed.
                if length > self.index.len() {
                    break;
                }
                at = self.entries[at].at;
            }
            if at == slot && self.entries[slot].place == Place::Waiting {
                self.break_circle(slot, now, out);
            }
        }
    }

    /// Lets the newest object of the circle this entry is in go first.
    fn break_circle(&mut self, slot: u32, now: Moment, out: &mut Vec<Action>) {
        let mut keys = Vec::new();
        let (mut at, mut newest) = (slot, slot);
        // Walked again, because entries may have changed while the search was on its way.
        loop {
            let entry = &self.entries[at];
            if entry.place != Place::Waiting || keys.len() > self.index.len() {
                return;
            }
            keys.push(entry.key);
            // The id is all the engine knows of an object's age.
            let age = |slot: u32| (self.entries[slot].key.id(), self.entries[slot].key.root());
            if age(at) > age(newest) {
                newest = at;
            }
            at = entry.at;
            if at == slot {
                break;
            }
        }
        let target = self.entries[newest].at;
        let broken = if self.entries[newest].doomed() {
            self.edges.void(&self.entries, target, newest)
        } else {
            self.edges.void(&self.entries, newest, target)
        };
        let name = keys.iter().fold(0u64, |sum, key| sum.wrapping_add(mix(key.bits())));
        if self.circles.len() >= BUDGET {
            self.circles.clear();
        }
        if broken && self.circles.insert(name) {
            out.push(Action::Note(Note::Cycle { keys: keys.into(), broken_at: self.entries[newest].key }));
        }
        self.settle(newest, now, out);
    }
}

/// The class and the failures so far, or when it may start.
fn plan(
    entry: &Entry,
    verb: Verb,
    rest: Option<&Rest>,
    pause: Moment,
    now: Moment,
) -> Result<(Class, u16), Moment> {
    let (next_run, attempts) = rest.map_or((Moment(0), 0), |rest| (rest.next_run, rest.attempts));
    let when = next_run.max(pause);
    if when > now {
        return Err(when);
    }
    Ok(match verb {
        Verb::DeleteRecord | Verb::HandleDelete => (Class::Delete, attempts),
        _ if attempts > 0 => (Class::Retry, attempts),
        _ if entry.why == Why::Change => (Class::Changed, 0),
        _ => (Class::Found, 0),
    })
}

const fn why(entry: &Entry, awaited: bool, attempts: u16) -> Why {
    if awaited {
        Why::Awaited
    } else if attempts > 0 {
        Why::Retry
    } else {
        entry.why
    }
}
