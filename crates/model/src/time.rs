//! Closed time ranges in milliseconds.

/// A closed range `[min, max]` of Unix milliseconds. Empty when `min > max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeRange {
    pub min: i64,
    pub max: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { min: i64::MIN, max: i64::MAX };

    #[must_use]
    pub const fn new(min: i64, max: i64) -> Self {
        Self { min, max }
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.min > self.max
    }

    /// Whether the two closed ranges share an instant.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }

    #[must_use]
    pub const fn contains(self, t: i64) -> bool {
        self.min <= t && t <= self.max
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    /// What both hold; empty when they do not overlap.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }
}
