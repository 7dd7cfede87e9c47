//! Warnings and infos as Prometheus words them: one of each wording, with a position.

mod native;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use native::HistogramOperation;
pub(crate) use text::{format_g, format_open_metrics, format_plain};

use hashbrown::HashMap;
use model::METRIC_NAME;
use model::quote::go_quote;
use promql::Span;
use request::Coverage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Warning,
    Info,
}

/// What was changed to make classic buckets monotonic; grows when the same note comes again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Forced {
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) min_bucket: f64,
    pub(crate) max_bucket: f64,
    pub(crate) max_difference: f64,
    pub(crate) samples: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Note {
    severity: Severity,
    text: String,
    span: Span,
    detail: Detail,
}

/// What grows when the same note comes again.
#[derive(Clone, Debug, PartialEq)]
enum Detail {
    None,
    Forced(Forced),
    /// How often it came.
    Times(u64),
}

/// The notes of a query so far. Of notes with the same wording the last one's position stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    list: Vec<Note>,
    /// Where in the list a text is: a query over many steps can have as many notes.
    places: HashMap<String, usize>,
}

impl Notes {
    pub(crate) fn warn(&mut self, text: String, span: Span) {
        self.add(Note {
            severity: Severity::Warning,
            text: format!("PromQL warning: {text}"),
            span,
            detail: Detail::None,
        });
    }

    /// A warning that says how often it came.
    fn warn_counted(&mut self, text: String, times: u64, span: Span) {
        let detail = Detail::Times(times);
        self.add(Note { severity: Severity::Warning, text: format!("PromQL warning: {text}"), span, detail });
    }

    pub(crate) fn inform(&mut self, text: String, span: Span) {
        self.add(Note { severity: Severity::Info, text: format!("PromQL info: {text}"), span, detail: Detail::None });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for note in other.list {
            self.add(note);
        }
    }

    /// As [`Notes::merge`], the other's notes having come so many times.
    pub(crate) fn merge_times(&mut self, mut other: Self, times: u64) {
        for note in &mut other.list {
            match &mut note.detail {
                Detail::None => {}
                Detail::Forced(forced) => forced.samples = forced.samples.saturating_mul(times),
                Detail::Times(count) => *count = count.saturating_mul(times),
            }
        }
        self.merge(other);
    }

    fn add(&mut self, note: Note) {
        let Some(known) = self.places.get(&note.text).and_then(|&place| self.list.get_mut(place)) else {
            self.places.insert(note.text.clone(), self.list.len());
            self.list.push(note);
            return;
        };
        match (&mut known.detail, note.detail) {
            (Detail::Forced(known), Detail::Forced(new)) => known.grow(&new),
            (Detail::Times(known), Detail::Times(new)) => *known += new,
            _ => known.span = note.span,
        }
    }

    pub(crate) fn invalid_quantile(&mut self, q: f64, span: Span) {
        self.warn(format!("quantile value should be between 0 and 1, got {}", format_g(q)), span);
    }

    pub(crate) fn invalid_ratio(&mut self, ratio: f64, cap: f64, span: Span) {
        let (ratio, cap) = (format_g(ratio), format_g(cap));
        self.warn(format!("ratio value should be between -1 and 1, got {ratio}, capping to {cap}"), span);
    }

    pub(crate) fn bad_bucket_label(&mut self, metric: &str, label: &str, span: Span) {
        let mut text =
            format!("bucket label \"le\" is missing or has a malformed value of {}", go_quote(label.as_bytes()));
        push_metric(&mut text, metric);
        self.warn(text, span);
    }

    pub(crate) fn sort_in_range_query(&mut self, span: Span) {
        self.warn("sort is ineffective for range queries since results are always ordered by labels".to_owned(), span);
    }

    /// Whether a metric that is taken for a counter looks like one: by its type if `types` are known, else by its
    /// name.
    pub(crate) fn check_counter<'a>(&mut self, label: impl Fn(&str) -> Option<&'a str>, types: bool, span: Span) {
        let Some(name) = label(METRIC_NAME).filter(|name| !name.is_empty()) else { return };
        if types {
            let found = label("__type__").unwrap_or("");
            if !["counter", "histogram"].contains(&found) {
                self.possible_non_counter_type(name, found, span);
            }
        } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix)) {
            self.possible_non_counter(name, span);
        }
    }

    pub(crate) fn possible_non_counter(&mut self, metric: &str, span: Span) {
        let metric = go_quote(metric.as_bytes());
        let text = format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric}");
        self.inform(text, span);
    }

    /// As [`Notes::possible_non_counter`], by the label `__type__`.
    pub(crate) fn possible_non_counter_type(&mut self, metric: &str, label: &str, span: Span) {
        let (label, metric) = (go_quote(label.as_bytes()), go_quote(metric.as_bytes()));
        let wanted = "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\"";
        self.inform(format!("{wanted}, got {label}: {metric}"), span);
    }

    pub(crate) fn incompatible_types(&mut self, lhs: &str, op: &str, rhs: &str, span: Span) {
        let text = format!(
            "incompatible sample types encountered for binary operator {}: {lhs} {op} {rhs}",
            go_quote(op.as_bytes())
        );
        self.inform(text, span);
    }

    pub(crate) fn forced_monotonicity(&mut self, metric: &str, forced: Forced, span: Span) {
        let mut text = "PromQL info: input to histogram_quantile needed to be fixed for monotonicity \
            (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            .to_owned();
        push_metric(&mut text, metric);
        self.add(Note { severity: Severity::Info, text, span, detail: Detail::Forced(forced) });
    }

    /// Hands the notes on, with positions in `query` as `line:column`.
    pub(crate) fn report(self, query: &str, coverage: &Coverage) {
        for note in self.list {
            let position = position(query, note.span.start as usize);
            let text = match note.detail {
                Detail::None | Detail::Times(..=1) => format!("{} ({position})", note.text),
                Detail::Times(times) => format!("{} ({times} occurrences) ({position})", note.text),
                Detail::Forced(forced) => format!("{}, {} ({position})", note.text, forced.describe()),
            };
            match note.severity {
                Severity::Warning => coverage.warn(text),
                Severity::Info => coverage.inform(text),
            }
        }
    }
}

impl Forced {
    fn grow(&mut self, other: &Self) {
        self.min_time = self.min_time.min(other.min_time);
        self.max_time = self.max_time.max(other.max_time);
        self.min_bucket = self.min_bucket.min(other.min_bucket);
        self.max_bucket = self.max_bucket.max(other.max_bucket);
        self.max_difference = self.max_difference.max(other.max_difference);
        self.samples += other.samples;
    }

    fn describe(&self) -> String {
        format!(
            "from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            format_g(self.min_bucket),
            format_g(self.max_bucket),
            text::format_g2(self.max_difference),
            self.samples,
            crate::date::rfc3339(self.min_time),
            crate::date::rfc3339(self.max_time),
        )
    }
}

fn push_metric(text: &mut String, metric: &str) {
    if !metric.is_empty() {
        text.push_str(" for metric name ");
        text.push_str(&go_quote(metric.as_bytes()));
    }
}

/// `line:column` of a byte in `query`, both from 1.
fn position(query: &str, at: usize) -> String {
    if query.is_empty() {
        return "unknown position".to_owned();
    }
    let Some(before) = query.as_bytes().get(..at) else { return "invalid position".to_owned() };
    let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
    let column = before.iter().rposition(|&b| b == b'\n').map_or(at + 1, |newline| at - newline);
    format!("{line}:{column}")
}
