//! What must be so, whatever goes wrong.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Makes the enum, the list of all, their names and what they say from one list.
macro_rules! oracles {
    ($( $(#[doc = $doc:literal])+ $name:ident = $text:literal; )+) => {
        /// What a simulation checks: one property that holds whatever goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Oracle {
            $( $(#[doc = $doc])+ $name, )+
        }

        impl Oracle {
            /// All of them.
            pub const ALL: &'static [Oracle] = &[$( Oracle::$name, )+];

            fn text(self) -> &'static str {
                match self {
                    $( Oracle::$name => $text, )+
                }
            }
        }
    };
}

oracles! {
    /// When the troubles end, every object comes to where it comes without them: synchronized, policed, or gone.
    Converges = "everything converges";
    /// And then nothing happens any more for 1,000 seconds: no change in the core, none in the backend.
    StaysQuiet = "it stays quiet";
    /// The objects' fields and status, and the backend's resources, are those of the run without troubles.
    SameEnd = "the end is that of the run without troubles";
    /// Never two handlers at work on one object.
    OneHandler = "one handler at a time on an object";
    /// Before the first handler of a lane, the core has stored that the object may exist outside.
    ClaimedFirst = "an object is claimed before its first handler";
    /// The core is told that an object is synchronized, policed or may go only after the handlers succeeded.
    HonestStatus = "a status is stored after the work";
    /// What the backend has belongs to a live object.
    NoLeak = "no resource is leaked";
    /// No resource is created a second time.
    CreatedOnce = "no resource is created twice";
    /// What was ever begun for an object is undone before the object is purged: `delete_record`, `handle_delete`.
    DeletionRuns = "every needed deletion happens";
    /// An object that is due when the troubles end is begun within a bound: a full scan, the longest retry delay, one
    /// deadline and a minute, for each level of links.
    BoundedWait = "nobody waits for ever";
    /// The program does not end by itself, and does not panic.
    KeepsRunning = "the program keeps running";
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How many there are.
pub(super) const COUNT: usize = Oracle::ALL.len();

/// What the oracles saw in one world.
pub(super) struct Judge {
    checked: [AtomicU64; COUNT],
    problems: Mutex<Vec<(Oracle, String)>>,
}

impl Judge {
    pub(super) fn new() -> Self {
        Judge { checked: [const { AtomicU64::new(0) }; COUNT], problems: Mutex::default() }
    }

    /// Something that must be so was looked at.
    pub(super) fn check(&self, oracle: Oracle, holds: bool, what: impl FnOnce() -> String) {
        if let Some(checked) = self.checked.get(oracle as usize) {
            checked.fetch_add(1, Ordering::Relaxed);
        }
        if !holds {
            let what = what();
            tracing::error!(oracle = %oracle, what, "violated");
            self.problems.lock().unwrap_or_else(PoisonError::into_inner).push((oracle, what));
        }
    }

    pub(super) fn checked(&self) -> [u64; COUNT] {
        self.checked.each_ref().map(|checked| checked.load(Ordering::Relaxed))
    }

    pub(super) fn problems(&self) -> Vec<(Oracle, String)> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
