//! Decoded samples of one series as columns.

use model::FloatHistogram;

/// One series' samples, ascending in time. Floats and native histograms are kept apart, so the float
/// kernels never meet a histogram; a timestamp occurs in at most one of the two.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Timestamps of the float samples, strictly ascending Unix milliseconds.
    pub t: Vec<i64>,
    /// Values of the float samples, as long as `t`; staleness markers included.
    pub v: Vec<f64>,
    /// Timestamps of the histogram samples, strictly ascending Unix milliseconds.
    pub ht: Vec<i64>,
    /// The native histograms, as long as `ht`, integer ones converted; staleness markers included.
    pub h: Vec<FloatHistogram>,
}

impl Columns {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All samples, floats and histograms.
    #[must_use]
    pub fn len(&self) -> usize {
        self.t.len() + self.ht.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.t.is_empty() && self.ht.is_empty()
    }

    /// Empties the columns and keeps their memory.
    pub fn clear(&mut self) {
        self.truncate((0, 0));
    }

    /// How many floats and histograms there are: a point that [`Columns::truncate`] goes back to.
    #[must_use]
    pub fn mark(&self) -> (usize, usize) {
        (self.t.len(), self.ht.len())
    }

    /// Drops what was appended since `mark`.
    pub fn truncate(&mut self, mark: (usize, usize)) {
        self.t.truncate(mark.0);
        self.v.truncate(mark.0);
        self.ht.truncate(mark.1);
        self.h.truncate(mark.1);
    }
}
