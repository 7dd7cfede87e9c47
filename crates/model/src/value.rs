//! What a query evaluates to.

use std::sync::Arc;

use crate::{FloatHistogram, Labels};

/// The result of a PromQL expression. Timestamps are Unix milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Scalar {
        t: i64,
        v: f64,
    },
    String {
        t: i64,
        v: String,
    },
    /// One sample a series, all at the instant of evaluation; in the order to be shown.
    Vector(Vec<Sample>),
    /// Many samples a series; in the order to be shown.
    Matrix(Vec<Series>),
}

impl Value {
    /// As the HTTP API names the type.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "scalar",
            Self::String { .. } => "string",
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
        }
    }
}

/// One series at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    pub t: i64,
    /// 0 where `h` stands.
    pub v: f64,
    /// A native histogram instead of a number.
    pub h: Option<Arc<FloatHistogram>>,
}

/// One series over time. Never empty in an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    /// Ascending. Series with points at the same steps share one allocation, so that a writer can
    /// format them once.
    pub t: Arc<[i64]>,
    /// As long as `t`.
    pub v: Vec<f64>,
    /// Native histograms with their times, ascending; none of them in `t`.
    pub h: Vec<(i64, Arc<FloatHistogram>)>,
}
