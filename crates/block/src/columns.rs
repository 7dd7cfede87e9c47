//! Decoded samples of one series as columns.

/// One series' samples, ascending in time. Floats and native histograms are kept apart, so the float
/// kernels never meet a histogram; a timestamp occurs in at most one of the two.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Timestamps of the float samples, strictly ascending Unix milliseconds.
    pub t: Vec<i64>,
    /// Values of the float samples, as long as `t`; staleness markers included.
    pub v: Vec<f64>,
}

impl Columns {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the columns and keeps their memory.
    pub fn clear(&mut self) {
        self.t.clear();
        self.v.clear();
    }
}
