//! Numbers from a seed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Numbers from a seed: the same ones for the same seed. Clones go on in one sequence.
///
/// # Examples
///
/// ```
/// use xos_sync::testing::Random;
///
/// let (one, other) = (Random::new(17), Random::new(17));
/// assert_eq!(one.below(1000), other.below(1000));
/// assert!(one.below(6) < 6 && one.text(8).len() == 8);
/// ```
#[derive(Clone)]
pub struct Random(Arc<AtomicU64>);

/// What the state of a splitmix generator grows by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds have nothing in common.
        Random(Arc::new(AtomicU64::new(mixed(seed.wrapping_mul(STEP)))))
    }

    fn next(&self) -> u64 {
        mixed(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A number from 0 on, below `bound`; 0 when that is 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True once in `bound` times.
    pub fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// One of these, `None` when there is none.
    pub fn pick<'t, T>(&self, items: &'t [T]) -> Option<&'t T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// A time shorter than this.
    pub fn time(&self, bound: Duration) -> Duration {
        Duration::from_millis(self.below(bound.as_millis() as u64))
    }

    /// A word of small letters and digits.
    pub fn text(&self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).filter_map(|_| self.pick(LETTERS)).map(|letter| char::from(*letter)).collect()
    }
}

pub(super) fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
