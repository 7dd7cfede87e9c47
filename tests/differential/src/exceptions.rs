//! Where answers may differ, and why. Everything else is an error of ours.

use crate::answer::{Answer, Point};
use crate::compare::{Difference, Part, close};
use crate::query::Query;

/// A query that was answered differently.
#[derive(Debug)]
pub struct Case<'a> {
    pub query: &'a Query,
    pub expected: &'a Answer,
    pub got: &'a Answer,
    pub difference: &'a Difference,
}

/// A difference that is understood.
#[derive(Debug)]
pub struct Exception {
    pub name: &'static str,
    pub why: &'static str,
    pub applies: fn(&Case<'_>) -> bool,
}

/// All of them; the first that applies is the one.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        name: "wording",
        why: "both refuse, in other words: errors are compared by status",
        applies: |case| case.difference.part == Part::Wording,
    },
    Exception {
        name: "samples of a note",
        why: "the note on buckets that are not monotonic counts its samples; Prometheus adds the count to itself \
              whenever notes are merged, at each step and each level of the query, so that it doubles",
        applies: |case| notes_without(case, counts_no_samples),
    },
    Exception {
        name: "last of a step",
        why: "of several pairs of incompatible types in one step Prometheus names the last; between a vector and a \
              scalar ours names each kind",
        applies: |case| {
            let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
            case.difference.part == Part::Infos
                && expected.infos.iter().all(|info| got.infos.contains(info))
                && got.infos.iter().all(|i| expected.infos.contains(i) || i.contains("incompatible sample types"))
        },
    },
    Exception {
        name: "layout of histograms",
        why: "`changes`, `==` and `!=` of native histograms, and quantiles of negative ones: Prometheus looks at how \
              empty buckets are stored, which differs from chunk to chunk; to ours an empty bucket is as good as \
              none, so that compaction does not change answers",
        applies: |case| {
            has(case, &["changes(", "==", "!= ", "histogram_quantile"])
                && has(case, &["nh", "mixed", "__name__"])
                && matches!(case.difference.part, Part::Values | Part::Points | Part::Labels)
        },
    },
    Exception {
        name: "nothing but rounding",
        why: "where the true answer is 0, as of a share of observations beyond all buckets, both give what rounding \
              left of it; the relative difference says nothing then",
        applies: |case| {
            let within = |a: &Point, b: &Point| match (a, b) {
                (Point::Float(a), Point::Float(b)) => close(*a, *b) || (a.abs() < 1e-12 && b.abs() < 1e-12),
                _ => false,
            };
            has(case, &["histogram_fraction"]) && case.difference.part == Part::Values && all_points(case, within)
        },
    },
    Exception {
        name: "last digits",
        why: "powers, logarithms and trigonometric functions differ from Go's in the last digit; labels made of \
              values show it, and remainders, equality, rounding and differences of nearly equal values magnify it, as notes do that name a value",
        applies: |case| {
            let magnified =
                has(case, MAGNIFYING) && matches!(case.difference.part, Part::Values | Part::Labels | Part::Points);
            let near = |a: &Point, b: &Point| match (a, b) {
                (Point::Float(a), Point::Float(b)) => close(*a, *b) || (a - b).abs() < 1e-12,
                _ => a == b,
            };
            let cancelled = case.difference.part == Part::Values && all_points(case, near);
            has(case, TRANSCENDENTAL) && (magnified || cancelled || notes_without(case, shows_no_value))
        },
    },
    Exception {
        name: "timestamp at an offset",
        why: "`timestamp(x @ t offset d)`: Prometheus leaves the offset out when it evaluates, not when it fetches",
        applies: |case| has(case, &["timestamp("]) && has(case, &["@"]) && has(case, &["offset"]),
    },
];

const TRANSCENDENTAL: &[&str] = &[
    "^",
    "atan2",
    "acos",
    "asin",
    "atan",
    "cos",
    "sin",
    "tan",
    "exp",
    "ln(",
    "log2",
    "log10",
    "stddev",
    "sqrt",
    "rad(",
    "deg(",
    "histogram_quantile",
    "histogram_fraction",
];
const MAGNIFYING: &[&str] = &["count_values", "%", "==", "!=", "floor", "ceil", "round", "sgn", "<", ">"];

fn has(case: &Case<'_>, what: &[&str]) -> bool {
    what.iter().any(|what| case.query.text.contains(what))
}

/// Whether all points of both answers, series by series, are the same in this sense.
fn all_points(case: &Case<'_>, same: impl Fn(&Point, &Point) -> bool) -> bool {
    let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
    expected.series.iter().all(|a| {
        let other = got.series.iter().find(|b| b.labels == a.labels);
        other.is_some_and(|b| {
            a.points.len() == b.points.len() && a.points.iter().zip(&b.points).all(|((_, a), (_, b))| same(a, b))
        })
    })
}

/// Whether the notes are the same once `simplified`.
fn notes_without(case: &Case<'_>, simplified: fn(&str) -> String) -> bool {
    let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
    let simple = |notes: &[String]| notes.iter().map(|note| simplified(note)).collect::<Vec<_>>();
    matches!(case.difference.part, Part::Warnings | Part::Infos)
        && simple(&expected.infos) == simple(&got.infos)
        && simple(&expected.warnings) == simple(&got.warnings)
}

/// The note without `got V`.
fn shows_no_value(note: &str) -> String {
    let Some((before, after)) = note.split_once(", got ") else { return note.to_owned() };
    let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{before} {rest}")
}

/// The note without `over N samples`.
fn counts_no_samples(note: &str) -> String {
    let Some((before, after)) = note.split_once(", over ") else { return note.to_owned() };
    let rest = after.split_once(" samples ").map_or(after, |(_, rest)| rest);
    format!("{before}, {rest}")
}

/// The exception that explains `case`.
#[must_use]
pub fn explain(case: &Case<'_>) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| (exception.applies)(case))
}
