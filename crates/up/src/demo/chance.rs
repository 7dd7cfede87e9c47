//! Chance without state: numbers and events that depend on a seed and on time only.

/// A well-mixed number for a list of numbers (SplitMix64 over them).
pub(super) fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// The same as a fraction in `[0, 1)`.
pub(super) fn fraction(parts: &[u64]) -> f64 {
    (hash(parts) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Something that happens once in each slot of time, somewhere in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    seed: u64,
    /// Length of a slot in milliseconds.
    every_ms: i64,
    /// Shortest and longest duration in milliseconds, less than a slot.
    length_ms: (i64, i64),
    /// Above 1 most are short.
    skew: i32,
    /// The part of the slot in which it happens, in milliseconds from the slot's start.
    part_ms: (i64, i64),
}

impl Event {
    pub(super) fn new(seed: u64, every_ms: i64, length_ms: (i64, i64)) -> Self {
        Self { seed, every_ms, length_ms, skew: 1, part_ms: (0, every_ms) }
    }

    /// The same, but most are near the shortest.
    pub(super) fn mostly_short(self) -> Self {
        Self { skew: 6, ..self }
    }

    /// The same within the first or the second half of each slot: two such never overlap.
    pub(super) fn in_half(self, second: bool) -> Self {
        let half = self.every_ms / 2;
        Self { part_ms: if second { (half, self.every_ms) } else { (0, half) }, ..self }
    }

    /// When it happens in slot `k`: from, to (exclusive).
    pub(super) fn in_slot(self, k: i64) -> (i64, i64) {
        let (least, most) = self.length_ms;
        let length = least + (fraction(&[self.seed, k as u64, 1]).powi(self.skew) * (most - least) as f64) as i64;
        let (from, to) = self.part_ms;
        let start = from + (fraction(&[self.seed, k as u64, 2]) * (to - from - length) as f64) as i64;
        (k * self.every_ms + start, k * self.every_ms + start + length)
    }

    pub(super) fn slot(self, t: i64) -> i64 {
        t.div_euclid(self.every_ms)
    }

    pub(super) fn is_on(self, t: i64) -> bool {
        let (from, to) = self.in_slot(self.slot(t));
        (from..to).contains(&t)
    }

    /// The end of the last one that was over by `t`.
    pub(super) fn last_end(self, t: i64) -> i64 {
        let (_, end) = self.in_slot(self.slot(t));
        if end <= t { end } else { self.in_slot(self.slot(t) - 1).1 }
    }

    /// All that overlap `from..to`.
    pub(super) fn between(self, from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> {
        (self.slot(from)..=self.slot(to)).map(move |k| self.in_slot(k)).filter(move |e| e.0 < to && from < e.1)
    }
}
