//! How the engine runs steps: the section `engine`.

use std::time::Duration;

use super::error::Problem;
use super::keys::{Key, Kind, Standing};
use super::tree::Tree;

/// Makes the struct, its default, the rows of the key table and the reader from one list.
macro_rules! engine {
    ($( $(#[doc = $doc:literal])+ $name:ident: $type:ident = $default:expr, $shown:literal, $kind:expr; )+) => {
        /// How the engine runs steps: limits, retries, re-scans and shutdown.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Engine {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nDefault: ", $shown, ".")]
                pub $name: $type,
            )+
        }

        impl Default for Engine {
            fn default() -> Self {
                Self { $( $name: $default, )+ }
            }
        }

        /// The keys of the section.
        pub(crate) const KEYS: &[Key] = &[
            $( Key {
                path: concat!("engine.", stringify!($name)),
                kind: $kind,
                default: $shown,
                doc: concat!($($doc),+),
                standing: Standing::Works,
            }, )+
        ];

        impl Engine {
            /// What `tree` says, the rest being default.
            pub(crate) fn read(tree: &Tree) -> Self {
                let default = Self::default();
                Self { $( $name: tree.get(concat!("engine.", stringify!($name))).unwrap_or(default.$name), )+ }
            }
        }
    };
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

engine! {
    /// How many objects are worked on at the same time.
    concurrency: usize = 64, "64", Kind::Count { min: 1, max: 100_000, unit: "objects" };
    /// How long one step may take; then it is cancelled at its next await and counts as failed.
    step_deadline: Duration = minutes(10), "10 min", Kind::Period { zero: false };
    /// Wait before the second attempt of a failed step; each further wait is longer.
    first_retry: Duration = seconds(5), "5 s", Kind::Period { zero: false };
    /// Longest wait between two attempts of a failed step.
    retry_cap: Duration = minutes(5), "5 min", Kind::Period { zero: false };
    /// Longest wait between two attempts of a deferred step; the first is `first_retry`.
    deferred_retry: Duration = seconds(60), "60 s", Kind::Period { zero: false };
    /// How often a core that cannot tell of changes is asked for work, counted from the last answer.
    poll_interval: Duration = seconds(5), "5 s", Kind::Period { zero: false };
    /// How often all objects are read again; the change feed finds work long before.
    full_scan_interval: Duration = minutes(5), "5 min", Kind::Period { zero: false };
    /// How long running steps may go on after the program was told to stop; 0 stops them at once.
    grace_period: Duration = seconds(30), "30 s", Kind::Period { zero: true };
}

impl Engine {
    /// What no single key shows to be wrong.
    pub(crate) fn check(&self, tree: &Tree) -> Option<Problem> {
        if self.first_retry <= self.retry_cap {
            return None;
        }
        let first = (tree.origin("engine.first_retry"), "engine.first_retry");
        let cap = (tree.origin("engine.retry_cap"), "engine.retry_cap");
        let (origin, key) = if first.0.is_some() { first } else { cap };
        let message = format!(
            "engine.first_retry ({}) is longer than engine.retry_cap ({})",
            shown(self.first_retry),
            shown(self.retry_cap)
        );
        Some(Problem::new(&origin.unwrap_or_default(), message).key(key))
    }
}

/// A duration as it would be written in the file.
fn shown(length: Duration) -> String {
    jiff::fmt::friendly::SpanPrinter::new()
        .spacing(jiff::fmt::friendly::Spacing::BetweenUnitsAndDesignators)
        .unsigned_duration_to_string(&length)
}
