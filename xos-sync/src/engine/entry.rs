//! What the engine keeps of one object: facts, not the record.
//!
//! 80 bytes, and 4 of the index. What only few objects have (a failure, a policy, a re-check, a `wait_for`) is
//! in a [`Rest`] or an [`Extra`] beside it.

use std::time::Duration;

use super::slab::{Linked, NONE, Slot};
use super::types::{FailureKind, Lane, ModelId, Moment, ObjectKey, ReadId, TextHash, Version, Why};

/// One object.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: ObjectKey,
    /// The version it is due at, or, when it is clean, the one that was done.
    pub(super) version: Version,
    /// Facts of reads before this one are older than what is known.
    pub(super) floor: ReadId,
    /// Reads before this one may have seen the object before our last write.
    pub(super) barrier: ReadId,
    /// Next in the bucket of the index, or next free slot.
    pub(super) chain: u32,
    /// The ring it is in: ready, waiters of `at`, or tombstones.
    pub(super) next: u32,
    pub(super) prev: u32,
    /// [`Place::Waiting`]: the entry it waits for. [`Place::Running`], [`Place::Storing`]: the run.
    pub(super) at: u32,
    /// Ring of the entries that wait for this one.
    pub(super) waiters: u32,
    /// Its links.
    pub(super) first_out: u32,
    /// The links to it.
    pub(super) first_in: u32,
    /// Place in the heap of alarms.
    pub(super) alarm: u32,
    pub(super) rest: u32,
    pub(super) extra: u32,
    pub(super) leaf: ModelId,
    pub(super) place: Place,
    pub(super) class: Class,
    pub(super) why: Why,
    pub(super) last: Option<Why>,
    flags: u8,
}

const DUE: u8 = 1;
const DOOMED: u8 = 2;
const CLAIMED: u8 = 4;
const THAWING: u8 = 8;
const POLICY_CLAIMED: u8 = 16;
const POLICY_ONLY: u8 = 32;
const POLICY_LANE: u8 = 64;

/// Where an entry is. Exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The slot is free.
    Free,
    /// In no ring: linked to, or between two places.
    Idle,
    /// Done; kept until the reads that started before its last write have ended.
    Tomb,
    /// In a ready ring.
    Ready,
    /// In the ring of waiters of `at`.
    Waiting,
    /// Its alarm will bring it back.
    Resting,
    /// Ready, but paused, or an old run of it has not stopped.
    Held,
    /// A step is at work.
    Running,
    /// The result is not stored.
    Storing,
}

/// Which ready ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Changed,
    Found,
    Retry,
    Recheck,
    Delete,
}

impl Class {
    pub(super) const COUNT: usize = 5;
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Changed, Self::Found, Self::Retry, Self::Recheck, Self::Delete];
}

impl Default for Entry {
    fn default() -> Self {
        Self { place: Place::Free, ..Self::new(ObjectKey::new(ModelId(u16::MAX), u32::MAX)) }
    }
}

impl Entry {
    pub(super) const fn new(key: ObjectKey) -> Self {
        Self {
            key,
            version: Version(0),
            floor: ReadId(0),
            barrier: ReadId(0),
            chain: NONE,
            next: NONE,
            prev: NONE,
            at: NONE,
            waiters: NONE,
            first_out: NONE,
            first_in: NONE,
            alarm: NONE,
            rest: NONE,
            extra: NONE,
            leaf: key.root(),
            place: Place::Idle,
            class: Class::Found,
            why: Why::Scan,
            last: None,
            flags: 0,
        }
    }

    /// The sync lane is dirty.
    pub(super) const fn due(&self) -> bool {
        self.flags & DUE != 0
    }

    pub(super) const fn doomed(&self) -> bool {
        self.flags & DOOMED != 0
    }

    pub(super) const fn claimed(&self) -> bool {
        self.flags & CLAIMED != 0
    }

    /// Its waiters are being woken.
    pub(super) const fn thawing(&self) -> bool {
        self.flags & THAWING != 0
    }

    /// Dirty or doomed: it has links, and objects it links to may wait for it.
    pub(super) const fn active(&self) -> bool {
        self.flags & (DUE | DOOMED) != 0
    }

    /// Objects that link to it wait for it.
    pub(super) const fn blocks(&self) -> bool {
        self.flags & (DUE | DOOMED) == DUE
    }

    pub(super) const fn busy(&self) -> bool {
        matches!(self.place, Place::Running | Place::Storing)
    }

    pub(super) const fn policy_claimed(&self) -> bool {
        self.flags & POLICY_CLAIMED != 0
    }

    /// No step takes the doomed object.
    pub(super) const fn policy_only(&self) -> bool {
        self.flags & POLICY_ONLY != 0
    }

    /// The lane whose ready ring it is in.
    pub(super) const fn ready_lane(&self) -> Lane {
        if self.flags & POLICY_LANE == 0 { Lane::Sync } else { Lane::Policy }
    }

    pub(super) const fn set_policy_claimed(&mut self, on: bool) {
        self.set(POLICY_CLAIMED, on);
    }

    pub(super) const fn set_policy_only(&mut self, on: bool) {
        self.set(POLICY_ONLY, on);
    }

    pub(super) const fn set_ready_lane(&mut self, lane: Lane) {
        self.set(POLICY_LANE, matches!(lane, Lane::Policy));
    }

    pub(super) const fn set_due(&mut self, on: bool) {
        self.set(DUE, on);
    }

    pub(super) const fn set_doomed(&mut self, on: bool) {
        self.set(DOOMED, on);
    }

    pub(super) const fn set_claimed(&mut self, on: bool) {
        self.set(CLAIMED, on);
    }

    pub(super) const fn set_thawing(&mut self, on: bool) {
        self.set(THAWING, on);
    }

    const fn set(&mut self, flag: u8, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }
}

impl Slot for Entry {
    fn chain(&mut self) -> &mut u32 {
        &mut self.chain
    }
}

impl Linked for Entry {
    fn links(&mut self) -> (&mut u32, &mut u32) {
        (&mut self.next, &mut self.prev)
    }
}

/// The failures of one lane.
#[derive(Debug)]
pub(super) struct Rest {
    /// What failed.
    pub(super) version: Version,
    /// It failed as a deletion; the version does not matter then.
    pub(super) doomed: bool,
    pub(super) next_run: Moment,
    /// The delay without jitter, to see whether it still grows.
    pub(super) delay: Duration,
    pub(super) text: TextHash,
    pub(super) attempts: u16,
    pub(super) kind: FailureKind,
    /// The core shows this failure.
    pub(super) stored: bool,
    pub(super) chain: u32,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            version: Version(0),
            doomed: false,
            next_run: Moment(0),
            delay: Duration::ZERO,
            text: TextHash(0),
            attempts: 0,
            kind: FailureKind::Failed,
            stored: false,
            chain: NONE,
        }
    }
}

impl Rest {
    /// Whether it is about this work. Another version is due at once.
    pub(super) fn matches(&self, version: Version, doomed: bool) -> bool {
        self.doomed == doomed && (doomed || self.version == version)
    }
}

impl Slot for Rest {
    fn chain(&mut self) -> &mut u32 {
        &mut self.chain
    }
}

/// What few objects have.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) policy_due: bool,
    /// The version the policy lane is due at, or that was policed last.
    pub(super) policy_version: Version,
    /// That is about its deletion, which leaves the version as it was.
    pub(super) policy_doomed: bool,
    pub(super) policy_barrier: ReadId,
    pub(super) policy_rest: u32,
    /// The clean object is looked at again.
    pub(super) recheck_at: Moment,
    /// Nothing starts before this: a pause, not a failure.
    pub(super) not_before: Moment,
    /// What each lane waits for.
    pub(super) watch: [u32; 2],
    /// The rings of those that wait for this entry, by what ends that.
    pub(super) watchers: [u32; 2],
    /// The core shows that a re-check waits: its success has to be stored.
    pub(super) shows_wait: bool,
    /// What was watched changed, or its time ran out.
    pub(super) awaited: bool,
    pub(super) chain: u32,
}

impl Default for Extra {
    fn default() -> Self {
        Self {
            policy_due: false,
            policy_version: Version(0),
            policy_doomed: false,
            policy_barrier: ReadId(0),
            policy_rest: NONE,
            recheck_at: Moment::NEVER,
            not_before: Moment(0),
            watch: [NONE; 2],
            watchers: [NONE; 2],
            shows_wait: false,
            awaited: false,
            chain: NONE,
        }
    }
}

impl Slot for Extra {
    fn chain(&mut self) -> &mut u32 {
        &mut self.chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_80_bytes() {
        assert_eq!(size_of::<Entry>(), 80);
    }
}
