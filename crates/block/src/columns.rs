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
    /// Start timestamps of the float samples in Unix milliseconds, 0 for none: as long as `t`, or empty
    /// where no sample has one, which is the usual case.
    pub st: Vec<i64>,
    /// Start timestamps of the histogram samples, likewise beside `ht`.
    pub hst: Vec<i64>,
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

    /// How many bytes of memory they take, with room that is kept and all histograms.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns =
            self.t.capacity() + self.v.capacity() + self.ht.capacity() + self.st.capacity() + self.hst.capacity();
        8 * columns + self.h.iter().map(FloatHistogram::bytes).sum::<usize>()
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
        self.st.truncate(mark.0);
        self.hst.truncate(mark.1);
    }

    /// The start timestamp of float `i`, Unix milliseconds; 0 for none.
    #[must_use]
    pub fn start(&self, i: usize) -> i64 {
        self.st.get(i).copied().unwrap_or(0)
    }

    /// The start timestamp of histogram `i`, Unix milliseconds; 0 for none.
    #[must_use]
    pub fn histogram_start(&self, i: usize) -> i64 {
        self.hst.get(i).copied().unwrap_or(0)
    }

    /// Sets the start timestamp of the last float.
    pub fn set_last_start(&mut self, st: i64) {
        set_last(&mut self.st, self.t.len(), st);
    }

    /// Sets the start timestamp of the last histogram.
    pub fn set_last_histogram_start(&mut self, st: i64) {
        set_last(&mut self.hst, self.ht.len(), st);
    }

    /// Gives what was appended without a start timestamp the one that stands for none, where others have
    /// one.
    pub fn level_starts(&mut self) {
        for (starts, len) in [(&mut self.st, self.t.len()), (&mut self.hst, self.ht.len())] {
            if !starts.is_empty() {
                starts.resize(len, 0);
            }
        }
    }

    /// Forgets all start timestamps.
    pub fn clear_starts(&mut self) {
        self.st.clear();
        self.hst.clear();
    }
}

fn set_last(starts: &mut Vec<i64>, len: usize, st: i64) {
    if (st != 0 || !starts.is_empty()) && len > 0 {
        starts.resize(len, 0);
        starts[len - 1] = st;
    }
}
