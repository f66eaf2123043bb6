//! Numbers that a seed repeats.

/// Xorshift: no more is needed to choose what to do next.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of this seed; `part` gives another series of the same seed.
    pub(crate) fn new(seed: u64, part: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(part << 17) | 1);
        // The first ones of near seeds are alike.
        for _ in 0..8 {
            random.below(1);
        }
        random
    }

    /// The next number, less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % end.max(1) as u64) as usize
    }
}
