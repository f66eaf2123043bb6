//! `StepError::wait_for`: an entry sleeps until another object changes.

use super::action::Action;
use super::entry::Extra;
use super::machine::Engine;
use super::slab::{NONE, push, unlink};
use super::types::{Lane, Moment, ObjectKey};

impl Engine {
    /// Lets a lane of this entry sleep until the other object changes, or until a moment.
    pub(super) fn set_watch(
        &mut self,
        slot: u32,
        lane: Lane,
        key: ObjectKey,
        until: Moment,
        out: &mut Vec<Action>,
    ) {
        self.clear_watch(slot, out);
        let target = self.index.find(&self.entries, key).unwrap_or_else(|| self.insert(key));
        let (own, other) = (self.extra(slot), self.extra(target));
        if self.extras[other].watchers == NONE {
            out.push(Action::Watch(key));
        }
        let extra = &mut self.extras[own];
        (extra.watch, extra.watch_lane, extra.watch_until) = (target, lane, until);
        let ring = self.extras[other].watchers;
        self.extras[other].watchers = push(&mut self.extras, ring, own);
        self.watching += 1;
    }

    /// Ends the sleep without waking: the reason for it is gone.
    pub(super) fn clear_watch(&mut self, slot: u32, out: &mut Vec<Action>) {
        let own = self.entries[slot].extra;
        if own == NONE || self.extras[own].watch == NONE {
            return;
        }
        let target = std::mem::replace(&mut self.extras[own].watch, NONE);
        let other = self.entries[target].extra;
        let ring = self.extras[other].watchers;
        self.extras[other].watchers = unlink(&mut self.extras, ring, own);
        self.watching -= 1;
        if self.extras[other].watchers == NONE {
            out.push(Action::Unwatch(self.entries[target].key));
            self.release_idle(target);
        }
    }

    /// Ends the sleep because the other object changed or the time is over; the next run says so.
    pub(super) fn end_watch(&mut self, slot: u32, out: &mut Vec<Action>) {
        self.clear_watch(slot, out);
        let own = self.extra(slot);
        self.extras[own].awaited = true;
    }

    /// Ends the sleep if its time is over.
    pub(super) fn expire_watch(&mut self, slot: u32, now: Moment, out: &mut Vec<Action>) {
        let own = self.entries[slot].extra;
        if own != NONE && self.extras[own].watch != NONE && self.extras[own].watch_until <= now {
            self.end_watch(slot, out);
        }
    }

    /// This entry changed: its watchers will be woken.
    pub(super) fn alert(&mut self, slot: u32) {
        if self.first_watcher(slot) != NONE {
            self.alerts.push_back(slot);
        }
    }

    /// The first of the extras that watch this entry.
    pub(super) fn first_watcher(&self, slot: u32) -> u32 {
        let extra = self.entries[slot].extra;
        if extra == NONE { NONE } else { self.extras[extra].watchers }
    }

    /// The extra of an entry, made if it has none.
    pub(super) fn extra(&mut self, slot: u32) -> u32 {
        if self.entries[slot].extra == NONE {
            self.entries[slot].extra = self.extras.insert(Extra { entry: slot, ..Extra::default() });
        }
        self.entries[slot].extra
    }
}
