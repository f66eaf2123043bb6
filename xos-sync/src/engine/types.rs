//! The words of the engine: keys, versions, moments, and the facts it is told.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A model, numbered by the shell: the position of its [`Model`](super::Model) in
/// [`Config::models`](super::Config::models).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub u16);

/// One object: the root of its model's chain and its id.
///
/// A base and its leaf share ids, so HelloWorldService 5 *is* Service 5 and both are one key; Slice 5 has
/// another root and is another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(u64);

impl ObjectKey {
    /// The object with this id under this root.
    pub const fn new(root: ModelId, id: u32) -> Self {
        Self((root.0 as u64) << 32 | id as u64)
    }

    /// The root of the model's chain.
    pub const fn root(self) -> ModelId {
        ModelId((self.0 >> 32) as u16)
    }

    /// The id within that root.
    pub const fn id(self) -> u32 {
        self.0 as u32
    }

    /// Both in one number: root in the upper half.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model {} id {}", self.root().0, self.id())
    }
}

/// One start of a step. An answer of an earlier life of the slot is recognised and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// Place in the table of runs; small, so the shell may index by it.
    pub slot: u32,
    /// Number of the start. No two live runs share it.
    pub life: u32,
}

/// `max(updated, changed_by_policy)` for the sync lane, `max(updated, changed_by_step)` for the policy lane:
/// the double's bits, made order-preserving.
///
/// The engine compares versions for equality only: a clock that steps back must not hide a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

/// Milliseconds since the start of the program, given in by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// A moment that does not come.
    pub const NEVER: Self = Self(u64::MAX);

    /// How long from `earlier` to here; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A read of the core, numbered when it *starts*: a read that starts later has a larger number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReadId(pub u64);

/// A term of leadership. The engine does not look into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

/// The two kinds of work an object can have. Never both at once on one object; policy first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Model policies: `policed` against `updated` and `changed_by_step`.
    Policy,
    /// Sync steps: `enacted` against `updated` and `changed_by_policy`.
    Sync,
}

/// What a run has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Policy lane: `handle_create` (never policed) or `handle_update`.
    HandleChange,
    /// Policy lane: `handle_delete`, before [`Verb::DeleteRecord`].
    HandleDelete,
    /// Sync lane: `sync_record`.
    SyncRecord,
    /// Sync lane: `delete_record`.
    DeleteRecord,
}

impl Verb {
    /// The lane it runs in.
    pub const fn lane(self) -> Lane {
        match self {
            Self::HandleChange | Self::HandleDelete => Lane::Policy,
            Self::SyncRecord | Self::DeleteRecord => Lane::Sync,
        }
    }
}

/// Whether a lane has something to do. A level, not an edge: it says how things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// Nothing: clean, `no_sync`, `lazy_blocked`, or refused by `selects`.
    No,
    /// Dirty at this version.
    At(Version),
}

/// Why a fact is told, and why a run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The feed announced a change.
    Change,
    /// A scan found it.
    Scan,
    /// An earlier attempt failed and its delay is over.
    Retry,
    /// A step asked to look again at a clean object (also when an earlier such look failed): the only runs
    /// that go on though nothing is due.
    Recheck,
    /// The object it waited for (`StepError::wait_for`) changed, or its time ran out.
    Awaited,
}

/// How a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Something is wrong. `backend_code` 2.
    Failed,
    /// Not yet: its own, shorter cap. `backend_code` 2, logged at info.
    Deferred,
    /// Harmless, but not done. `backend_code` 1.
    Innocuous,
}

/// A stable hash of a status message: the engine needs to know only whether it is the same one as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TextHash(pub u64);

impl TextHash {
    /// The hash of this message. The same in every process, so that a restart recognises a message.
    pub fn of(text: &str) -> Self {
        // FNV-1a: short, stable, and nothing here depends on its quality against an attacker.
        Self(
            text.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)),
        )
    }
}

/// A backoff read back from `backend_register`, so that a restart honours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The version that failed. Another version is due at once.
    pub version: Version,
    /// Failures so far.
    pub attempts: u16,
    /// Not before this.
    pub next_run: Moment,
    /// How it failed last.
    pub kind: FailureKind,
    /// The last message in `backend_status`, so that repeating it stores only the register.
    pub text: TextHash,
}

/// What one read says about one object.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// The object.
    pub key: ObjectKey,
    /// Its leaf model.
    pub leaf: ModelId,
    /// The read that said so; it must have been announced by [`Event::ReadStarted`](super::Event::ReadStarted).
    pub read: ReadId,
    /// The sync lane.
    pub sync: Due,
    /// The policy lane; [`Due::No`] where no policies run.
    pub policy: Due,
    /// Soft-deleted and not yet given to the reaper (`deleted && !backend_need_reap`), and somebody here has to work
    /// on that: a step takes it, or its policy lane is due. What is due in the policy lane is the delete policy then.
    pub doomed: bool,
    /// `backend_need_delete` is stored already.
    pub claimed: bool,
    /// `backend_need_delete_policy` is stored already.
    pub policy_claimed: bool,
    /// Of a doomed object: no step takes it. When its delete policy has run, nobody here has anything more to do.
    pub policy_only: bool,
    /// The objects it depends on: targets of its links and of the `dependency_graph`. Order does not matter;
    /// itself and repetitions are ignored. Needed only when something is due or it is doomed.
    pub links: &'a [ObjectKey],
    /// The backoff kept in its register, if the register names a version.
    pub retry: Option<Retry>,
    /// Look at the clean object at this moment though nothing changed; what a step asked for itself counts more.
    pub recheck: Option<Moment>,
    /// [`Why::Change`] from the feed, [`Why::Scan`] otherwise.
    pub why: Why,
}

impl<'a> Fact<'a> {
    /// A fact that nothing is due; set what is with struct update syntax.
    pub const fn clean(key: ObjectKey, leaf: ModelId, read: ReadId) -> Fact<'a> {
        Fact {
            key,
            leaf,
            read,
            sync: Due::No,
            policy: Due::No,
            doomed: false,
            claimed: false,
            policy_claimed: false,
            policy_only: false,
            links: &[],
            retry: None,
            recheck: None,
            why: Why::Scan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_root_and_the_id() {
        let key = ObjectKey::new(ModelId(3), u32::MAX);
        assert_eq!((key.root(), key.id(), key.bits()), (ModelId(3), u32::MAX, 3 << 32 | 0xffff_ffff));
        assert_ne!(ObjectKey::new(ModelId(1), 5), ObjectKey::new(ModelId(2), 5));
    }

    #[test]
    fn moments_saturate() {
        assert_eq!(Moment(5) + Duration::MAX, Moment::NEVER);
        assert_eq!(Moment(5) - Duration::from_secs(1), Moment(0));
        assert_eq!(Moment(5).since(Moment(9)), Duration::ZERO);
    }

    #[test]
    fn the_hash_of_a_message_is_stable() {
        assert_eq!(TextHash::of(""), TextHash(0xcbf2_9ce4_8422_2325));
        assert_eq!(TextHash::of("a"), TextHash(0xaf63_dc4c_8601_ec8c));
    }
}
