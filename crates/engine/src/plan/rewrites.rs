//! Which rewrites of a plan are made. None of them changes an answer: each only saves work.

/// A rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rewrite {
    /// Parts that do not depend on the step are evaluated once.
    Once,
    /// Element-wise functions and aggregations are fused with the selector below: its series never exist side
    /// by side, and of their labels only those of the groups are kept.
    Fuse,
    /// What storage can make use of is told to it: the function and the grouping above a selector.
    Hint,
    /// Scalars between constants become constants.
    Fold,
    /// Where a join keeps only series that have a label's value on one side, the other side is asked for no
    /// others.
    Propagate,
    /// The same part, or the same read for several aggregations, is evaluated once for all that need it.
    Share,
    /// Selectors that do not depend on each other are read side by side.
    Ahead,
}

impl Rewrite {
    /// All there are.
    pub const ALL: [Self; 7] =
        [Self::Once, Self::Fuse, Self::Hint, Self::Fold, Self::Propagate, Self::Share, Self::Ahead];

    /// As explanations name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Fuse => "fuse",
            Self::Hint => "hint",
            Self::Fold => "fold",
            Self::Propagate => "propagate",
            Self::Share => "share",
            Self::Ahead => "ahead",
        }
    }
}

/// A set of rewrites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrites(u8);

impl Rewrites {
    /// All but one.
    #[must_use]
    pub fn without(self, rewrite: Rewrite) -> Self {
        Self(self.0 & !(1 << rewrite as u8))
    }

    /// No rewrite at all.
    #[must_use]
    pub fn none() -> Self {
        Self(0)
    }

    /// All of these and one more.
    #[must_use]
    pub(crate) fn with(self, rewrite: Rewrite) -> Self {
        Self(self.0 | 1 << rewrite as u8)
    }

    #[must_use]
    pub fn has(self, rewrite: Rewrite) -> bool {
        self.0 & (1 << rewrite as u8) != 0
    }
}

impl Default for Rewrites {
    /// All of them.
    fn default() -> Self {
        Self(Rewrite::ALL.iter().fold(0, |set, &rewrite| set | 1 << rewrite as u8))
    }
}
