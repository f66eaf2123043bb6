//! Waiting for another object: a lane of an entry sleeps until that one changes, or until a condition on it holds.

use super::action::Action;
use super::entry::Extra;
use super::machine::Engine;
use super::slab::{Linked, NONE, Slot, push, unlink};
use super::types::{Lane, Moment, ObjectKey};

/// What ends a sleep, besides its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Any change of the other object.
    Changed,
    /// The shell says so ([`Event::Met`](super::Event::Met)).
    Met,
}

/// The sleep of one lane of an entry.
#[derive(Debug)]
pub(super) struct Watch {
    /// The entry that sleeps.
    pub(super) entry: u32,
    pub(super) lane: Lane,
    /// The entry it waits for; it may be the same one.
    pub(super) target: u32,
    /// It ends then in any case.
    pub(super) end: Moment,
    pub(super) until: Until,
    /// The ring of those that wait for the same entry in the same way.
    next: u32,
    prev: u32,
    chain: u32,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            entry: NONE,
            lane: Lane::Sync,
            target: NONE,
            end: Moment(0),
            until: Until::Changed,
            next: NONE,
            prev: NONE,
            chain: NONE,
        }
    }
}

impl Slot for Watch {
    fn chain(&mut self) -> &mut u32 {
        &mut self.chain
    }
}

impl Linked for Watch {
    fn links(&mut self) -> (&mut u32, &mut u32) {
        (&mut self.next, &mut self.prev)
    }
}

const LANES: [Lane; 2] = [Lane::Policy, Lane::Sync];

impl Engine {
    /// Lets a lane of this entry sleep until something becomes of the other object, or until a moment.
    pub(super) fn set_watch(
        &mut self,
        slot: u32,
        lane: Lane,
        key: ObjectKey,
        until: Until,
        end: Moment,
        out: &mut Vec<Action>,
    ) {
        self.clear_watch(slot, lane, out);
        let target = self.index.find(&self.entries, key).unwrap_or_else(|| self.insert(key));
        let watch = self.watches.insert(Watch { entry: slot, lane, target, end, until, ..Watch::default() });
        let (own, other) = (self.extra(slot), self.extra(target));
        self.extras[own].watch[lane as usize] = watch;
        if !self.is_watched(target) {
            out.push(Action::Watch(key));
        }
        let ring = self.extras[other].watchers[until as usize];
        self.extras[other].watchers[until as usize] = push(&mut self.watches, ring, watch);
        self.watching += 1;
    }

    /// Ends the sleep of a lane without waking: the reason for it is gone.
    pub(super) fn clear_watch(&mut self, slot: u32, lane: Lane, out: &mut Vec<Action>) {
        let own = self.entries[slot].extra;
        if own == NONE || self.extras[own].watch[lane as usize] == NONE {
            return;
        }
        let watch = std::mem::replace(&mut self.extras[own].watch[lane as usize], NONE);
        let (target, until) = (self.watches[watch].target, self.watches[watch].until);
        let other = self.entries[target].extra;
        let ring = self.extras[other].watchers[until as usize];
        self.extras[other].watchers[until as usize] = unlink(&mut self.watches, ring, watch);
        self.watches.remove(watch);
        self.watching -= 1;
        if !self.is_watched(target) {
            out.push(Action::Unwatch(self.entries[target].key));
            if target != slot {
                self.release_idle(target);
            }
        }
    }

    /// Ends the sleep of both lanes.
    pub(super) fn clear_watches(&mut self, slot: u32, out: &mut Vec<Action>) {
        for lane in LANES {
            self.clear_watch(slot, lane, out);
        }
    }

    /// Ends the sleep of a lane because what it waited for has come, or the time is over; the next run says so.
    pub(super) fn end_watch(&mut self, slot: u32, lane: Lane, out: &mut Vec<Action>) {
        self.clear_watch(slot, lane, out);
        let own = self.extra(slot);
        self.extras[own].awaited = true;
    }

    /// Ends the sleeps whose time is over.
    pub(super) fn expire_watches(&mut self, slot: u32, now: Moment, out: &mut Vec<Action>) {
        for lane in LANES {
            if self.watch(slot, lane).is_some_and(|watch| watch.end <= now) {
                self.end_watch(slot, lane, out);
            }
        }
    }

    /// What this lane of that object waits for has come.
    pub(super) fn met(&mut self, key: ObjectKey, lane: Lane, now: Moment, out: &mut Vec<Action>) {
        let Some(slot) = self.index.find(&self.entries, key) else { return };
        if self.watch(slot, lane).is_some_and(|watch| watch.until == Until::Met) {
            self.end_watch(slot, lane, out);
            self.settle(slot, now, out);
        }
    }

    /// The sleep of a lane of this entry.
    pub(super) fn watch(&self, slot: u32, lane: Lane) -> Option<&Watch> {
        let extra = self.entries[slot].extra;
        let watch = if extra == NONE { NONE } else { self.extras[extra].watch[lane as usize] };
        (watch != NONE).then(|| &self.watches[watch])
    }

    /// Whether anybody waits for this entry.
    pub(super) fn is_watched(&self, slot: u32) -> bool {
        let extra = self.entries[slot].extra;
        extra != NONE && self.extras[extra].watchers != [NONE; 2]
    }

    /// This entry changed: those that wait for any change of it will be woken.
    pub(super) fn alert(&mut self, slot: u32) {
        if self.first_watcher(slot) != NONE {
            self.alerts.push_back(slot);
        }
    }

    /// The first of those that wait for any change of this entry.
    pub(super) fn first_watcher(&self, slot: u32) -> u32 {
        let extra = self.entries[slot].extra;
        if extra == NONE { NONE } else { self.extras[extra].watchers[Until::Changed as usize] }
    }

    /// The extra of an entry, made if it has none.
    pub(super) fn extra(&mut self, slot: u32) -> u32 {
        if self.entries[slot].extra == NONE {
            self.entries[slot].extra = self.extras.insert(Extra::default());
        }
        self.entries[slot].extra
    }
}
