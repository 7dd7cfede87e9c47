//! Notes about native histograms.

use model::quote::go_quote;
use promql::Span;

use super::{Notes, push_metric};

/// During what something was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

fn named(text: &str, metric: &str) -> String {
    format!("{text} {}", go_quote(metric.as_bytes()))
}

impl Notes {
    pub(crate) fn mixed_floats_histograms(&mut self, metric: &str, span: Span) {
        self.warn(named("encountered a mix of histograms and floats for metric name", metric), span);
    }

    pub(crate) fn mixed_in_aggregation(&mut self, span: Span) {
        self.warn("encountered a mix of histograms and floats for aggregation".to_owned(), span);
    }

    pub(crate) fn mixed_exponential_custom(&mut self, metric: &str, span: Span) {
        let text = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
        self.warn(named(text, metric), span);
    }

    pub(crate) fn mixed_classic_native(&mut self, metric: &str, span: Span) {
        let mut text = "vector contains a mix of classic and native histograms".to_owned();
        push_metric(&mut text, metric);
        self.warn(text, span);
    }

    pub(crate) fn not_a_counter(&mut self, metric: &str, span: Span) {
        self.warn(named("this native histogram metric is not a counter:", metric), span);
    }

    pub(crate) fn not_a_gauge(&mut self, metric: &str, span: Span) {
        self.warn(named("this native histogram metric is not a gauge:", metric), span);
    }

    pub(crate) fn histogram_ignored_in_range(&mut self, metric: &str, span: Span) {
        let text = "ignored histograms in a range containing both floats and histograms for metric name";
        self.inform(named(text, metric), span);
    }

    pub(crate) fn histogram_ignored_in_aggregation(&mut self, op: &str, span: Span) {
        self.inform(format!("ignored histogram in {op} aggregation"), span);
    }

    pub(crate) fn start_time_overlap(&mut self, metric: &str, times: u64, span: Span) {
        let text = "sample has start time that overlaps with previous sample timestamp for metric";
        self.warn_counted(named(text, metric), times, span);
    }

    pub(crate) fn counter_reset_collision(&mut self, operation: HistogramOperation, span: Span) {
        self.warn(format!("conflicting counter resets during histogram {}", operation.as_str()), span);
    }

    pub(crate) fn mismatched_bounds(&mut self, operation: HistogramOperation, span: Span) {
        self.inform(format!("mismatched custom buckets were reconciled during {}", operation.as_str()), span);
    }

    pub(crate) fn incompatible_layout(&mut self, op: &str, span: Span) {
        self.warn(format!("incompatible bucket layout encountered for binary operator {op}"), span);
    }

    /// `outcome`: what observations of NaN do to the result.
    pub(crate) fn nan_observations(&mut self, function: &str, outcome: &str, metric: &str, span: Span) {
        let mut text = format!("input to {function} has NaN observations, {outcome}");
        push_metric(&mut text, metric);
        self.inform(text, span);
    }
}
