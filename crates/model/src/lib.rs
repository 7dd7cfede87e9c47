//! The nouns everything else is written in: labels, matchers, samples, histograms and time ranges.
//!
//! Place: L0, pure. No I/O, no clock, no threads; nothing of the workspace below it.
//!
//! Invariants: label sets are sorted by name, names are unique, and no label has an empty value
//! (Prometheus treats an empty value as a missing label). Timestamps are `i64` milliseconds since
//! the Unix epoch everywhere; ranges are closed unless a name says otherwise.

pub mod duration;
pub mod histogram;
pub mod labels;
pub mod matcher;
pub mod quote;
pub mod regex;
pub mod time;
pub mod value;
pub mod variables;

pub use histogram::{CounterResetHint, FloatHistogram, Histogram, Span};
pub use labels::{LabelTable, LabelTableBuilder, Labels, LabelsBuilder, LabelsRef, SymbolTable};
pub use matcher::{Literals, MatchOp, Matcher};
pub use time::TimeRange;
pub use value::{Sample, Series, Value};

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// The bit pattern of Prometheus' staleness marker. Other NaNs are ordinary values.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is Prometheus' staleness marker (bit-exact; an ordinary NaN is not).
#[inline]
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}
