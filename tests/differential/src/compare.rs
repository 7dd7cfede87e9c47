//! Whether two answers are the same, and what differs first.

use std::fmt;

use crate::answer::{Answer, Given, Point, Series};

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Status,
    /// The text of an error.
    Wording,
    Type,
    Labels,
    Order,
    Points,
    Values,
    Warnings,
    Infos,
}

/// A difference and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub part: Part,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.part, self.what)
    }
}

/// The relative difference that values may have.
pub const TOLERANCE: f64 = 1e-9;

/// The first difference between the `expected` answer and the one that was `got`. Series are compared
/// in the order given where `ordered`.
#[must_use]
pub fn difference(expected: &Answer, got: &Answer, ordered: bool) -> Option<Difference> {
    match (expected, got) {
        (Answer::Given(expected), Answer::Given(got)) => given(expected, got, ordered),
        (Answer::Refused { kind, text }, Answer::Refused { kind: got_kind, text: got }) => (kind != got_kind
            || text != got)
            .then(|| differs(Part::Wording, format!("{got_kind}: {got:?}, not {kind}: {text:?}"))),
        (Answer::Refused { text, .. }, Answer::Given(_)) => {
            Some(differs(Part::Status, format!("answered, not refused with {text:?}")))
        }
        (Answer::Given(_), Answer::Refused { text, .. }) => {
            Some(differs(Part::Status, format!("refused with {text:?}, not answered")))
        }
    }
}

fn differs(part: Part, what: String) -> Difference {
    Difference { part, what }
}

fn given(expected: &Given, got: &Given, ordered: bool) -> Option<Difference> {
    if expected.kind != got.kind {
        return Some(differs(Part::Type, format!("{}, not {}", got.kind, expected.kind)));
    }
    let sorted = |series: &[Series]| {
        let mut refs: Vec<Series> = series.to_vec();
        refs.sort_by(|a, b| a.labels.cmp(&b.labels));
        refs
    };
    let (a, b) = (sorted(&expected.series), sorted(&got.series));
    let labels = |series: &[Series]| series.iter().map(|s| s.labels.clone()).collect::<Vec<_>>();
    if labels(&a) != labels(&b) {
        let missing: Vec<_> = a.iter().filter(|s| !b.iter().any(|o| o.labels == s.labels)).map(|s| &s.labels).collect();
        let extra: Vec<_> = b.iter().filter(|s| !a.iter().any(|o| o.labels == s.labels)).map(|s| &s.labels).collect();
        return Some(differs(
            Part::Labels,
            format!("{} series, not {}: without {missing:?}, with {extra:?}", b.len(), a.len()),
        ));
    }
    if let Some(found) = a.iter().zip(&b).find_map(|(a, b)| points(a, b)) {
        return Some(found);
    }
    if ordered && !expected.series.iter().zip(&got.series).all(|(a, b)| same_place(a, b)) {
        return Some(differs(Part::Order, format!("{:?}, not {:?}", labels(&got.series), labels(&expected.series))));
    }
    if expected.warnings != got.warnings {
        return Some(differs(Part::Warnings, format!("{:?}, not {:?}", got.warnings, expected.warnings)));
    }
    if expected.infos != got.infos {
        return Some(differs(Part::Infos, format!("{:?}, not {:?}", got.infos, expected.infos)));
    }
    None
}

fn points(expected: &Series, got: &Series) -> Option<Difference> {
    let times = |series: &Series| {
        let kind = |point: &Point| u8::from(matches!(point, Point::Histogram(_)));
        series.points.iter().map(|(t, point)| (*t, kind(point))).collect::<Vec<_>>()
    };
    let labels = &expected.labels;
    let (a, b) = (times(expected), times(got));
    if a != b {
        let missing: Vec<_> = a.iter().filter(|t| !b.contains(t)).take(3).collect();
        let extra: Vec<_> = b.iter().filter(|t| !a.contains(t)).take(3).collect();
        let (n, m) = (b.len(), a.len());
        return Some(differs(
            Part::Points,
            format!("{labels:?}: {n} points, not {m}: without {missing:?}, with {extra:?}"),
        ));
    }
    let pairs = expected.points.iter().zip(&got.points);
    let wrong = pairs.into_iter().find(|((_, a), (_, b))| !same(a, b));
    wrong.map(|((t, a), (_, b))| differs(Part::Values, format!("{labels:?} at {t}: {b:?}, not {a:?}")))
}

/// Whether two series may stand at the same place of an order by value: Prometheus' sorting leaves series of
/// the same value in no particular order.
fn same_place(a: &Series, b: &Series) -> bool {
    a.labels == b.labels || a.points.iter().zip(&b.points).all(|((_, a), (_, b))| same(a, b))
}

/// Whether two points are the same but for [`TOLERANCE`].
pub(crate) fn same(a: &Point, b: &Point) -> bool {
    match (a, b) {
        (Point::Float(a), Point::Float(b)) => close(*a, *b),
        (Point::Histogram(a), Point::Histogram(b)) => a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| close(a, b)),
        _ => a == b,
    }
}

/// Whether two values are the same but for [`TOLERANCE`]; NaNs are all the same.
#[must_use]
pub fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

/// Whether the order of the answer's series is part of it: `sort` and its like on the outside.
#[must_use]
pub fn is_ordered(text: &str) -> bool {
    text.starts_with("sort")
}
