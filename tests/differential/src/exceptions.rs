//! Where answers may differ, and why. Everything else is an error of ours.

use anyhow::Result;
use promql::FunctionId;
use promql::ast::{BinaryOp, Kind, NodeId};

use crate::answer::{Answer, Point};
use crate::compare::{Difference, Part, close};
use crate::culprit::{self, Asked, Culprit, Distance, differing, distance};
use crate::query::Query;
use crate::sides::Sides;

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
    pub applies: Judge,
}

/// What tells whether an exception applies.
#[derive(Debug)]
pub enum Judge {
    /// Both answers.
    Answers(fn(&Case<'_>) -> bool),
    /// Each part of the query that is answered differently though all that it reads is the same.
    Part(fn(&Culprit, &Sides<'_>) -> Result<bool>),
}

/// All of them; the first that applies is the one.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        name: "wording",
        why: "both refuse, in other words: errors are compared by status",
        applies: Judge::Answers(|case| case.difference.part == Part::Wording),
    },
    Exception {
        name: "samples of a note",
        why: "the note on buckets that are not monotonic counts its samples; Prometheus adds the count to itself \
              whenever notes are merged, at each step and each level of the query, so that it doubles",
        applies: Judge::Answers(|case| notes_alike(case, |a, b| counts_no_samples(a) == counts_no_samples(b))),
    },
    Exception {
        name: "last of a step",
        why: "of several pairs of incompatible types in one step Prometheus names the last; between a vector and a \
              scalar ours names each kind",
        applies: Judge::Answers(|case| {
            let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
            case.difference.part == Part::Infos
                && expected.infos.iter().all(|info| got.infos.contains(info))
                && got.infos.iter().all(|i| expected.infos.contains(i) || i.contains("incompatible sample types"))
        }),
    },
    Exception {
        name: "last digits of a note",
        why: "a note names a value whose last digits differ, as those of powers and logarithms do",
        applies: Judge::Answers(|case| notes_alike(case, show_near_values)),
    },
    Exception {
        name: "layout of histograms",
        why: "`changes`, `==` and `!=` of native histograms, quantiles of negative ones, and products and quotients that \
              make NaN of 0: Prometheus looks at how empty buckets are stored, which differs from chunk to chunk; to \
              ours an empty bucket is as good as none, so that compaction does not change answers",
        applies: Judge::Part(|culprit, _| Ok(depends_on_layout(culprit))),
    },
    Exception {
        name: "nothing but rounding",
        why: "where the true answer is 0, as of a share of observations beyond all buckets, both give what rounding \
              left of it; the relative difference says nothing then",
        applies: Judge::Part(|culprit, _| {
            let within = |a: &Point, b: &Point| match (a, b) {
                (Point::Float(a), Point::Float(b)) => close(*a, *b) || (a.abs() < 1e-12 && b.abs() < 1e-12),
                _ => false,
            };
            Ok(function(culprit) == Some(FunctionId::HistogramFraction)
                && all_points(&culprit.expected, &culprit.got, within))
        }),
    },
    Exception {
        name: "last digits",
        why: "powers, logarithms and trigonometric functions differ from Go's in the last digit; labels made of \
              values show it, and remainders, comparisons, rounding and differences of nearly equal values magnify it: \
              over the values that Prometheus has for its operands, ours gives the same",
        applies: Judge::Part(|culprit, sides| {
            if culprit.operands.iter().all(|operand| operand.distance == Distance::Same) {
                return Ok(false);
            }
            let over = sides.over_peers_operands(culprit)?;
            Ok(over.is_some_and(|over| distance(&culprit.expected, &over) != Distance::Different))
        }),
    },
    Exception {
        name: "timestamp at an offset",
        why: "`timestamp(x @ t offset d)`: Prometheus leaves the offset out when it evaluates, not when it fetches",
        applies: Judge::Part(|culprit, _| {
            let modifiers = |id| match culprit.ast.kind(culprit.ast.unwrap_parens(id)) {
                Kind::Vector(selector) => Some(selector.modifiers),
                _ => None,
            };
            let operand = culprit.ast.children(operator(culprit)).next().and_then(modifiers);
            Ok(function(culprit) == Some(FunctionId::Timestamp)
                && operand.is_some_and(|m| m.at.is_some() && (m.offset_ms != 0 || m.offset_expr.is_some())))
        }),
    },
];

fn operator(culprit: &Culprit) -> NodeId {
    culprit.ast.unwrap_parens(culprit.ast.root())
}

fn function(culprit: &Culprit) -> Option<FunctionId> {
    match culprit.ast.kind(operator(culprit)) {
        Kind::Call(call) => Some(call.func.id),
        _ => None,
    }
}

/// Whether the operator looks at histograms wherever its answers differ.
fn depends_on_layout(culprit: &Culprit) -> bool {
    // Count and sum come first, then four numbers a bucket: rule, bounds, count.
    let any = |point: &Point| matches!(point, Point::Histogram(_));
    let negative = |point: &Point| match point {
        Point::Histogram(numbers) => numbers[2..].chunks_exact(4).any(|bucket| bucket[1] < 0.0 && bucket[3] != 0.0),
        _ => false,
    };
    let first = culprit.operands.first();
    let last = culprit.operands.last();
    match culprit.ast.kind(operator(culprit)) {
        Kind::Call(call) => match call.func.id {
            FunctionId::Changes => {
                first.is_some_and(|operand| all_have(culprit, operand, any) || holds_anchored_histograms(operand))
            }
            FunctionId::HistogramQuantile => last.is_some_and(|operand| all_have(culprit, operand, negative)),
            // Its result has another label, of a name of its own.
            FunctionId::HistogramQuantiles => first.is_some_and(|operand| has_point(operand, None, negative)),
            _ => false,
        },
        Kind::Binary(binary) if matches!(binary.op, BinaryOp::Mul | BinaryOp::Div) => {
            all_points(&culprit.expected, &culprit.got, |a, b| match (a, b) {
                (Point::Histogram(a), Point::Histogram(b)) => differ_in_nan_buckets(a, b),
                (Point::Float(a), Point::Float(b)) => close(*a, *b),
                _ => a == b,
            })
        }
        Kind::Binary(binary) if matches!(binary.op, BinaryOp::Eq | BinaryOp::Ne) => {
            culprit.operands.len() == 2 && culprit.operands.iter().all(|operand| has_point(operand, None, any))
        }
        _ => false,
    }
}

/// Whether all buckets that only one of two histograms has are NaN, and they are alike otherwise.
fn differ_in_nan_buckets(a: &[f64], b: &[f64]) -> bool {
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| close(*a, *b));
    let is_there = |bucket: &[f64], of: &[f64]| of[2..].chunks_exact(4).any(|other| same(bucket, other));
    let all = |a: &[f64], b: &[f64]| a[2..].chunks_exact(4).all(|bucket| bucket[3].is_nan() || is_there(bucket, b));
    same(&a[..2], &b[..2]) && all(a, b) && all(b, a)
}

/// Whether it was refused for them: by itself, a selector that is anchored gives no histograms.
fn holds_anchored_histograms(operand: &Asked) -> bool {
    matches!(&operand.expected, Answer::Refused { text, .. } if text == "anchored modifier is not supported with histograms")
}

/// Whether every series that is answered differently has such a point in the operand.
fn all_have(culprit: &Culprit, operand: &Asked, is_such: impl Fn(&Point) -> bool + Copy) -> bool {
    let series = differing(&culprit.expected, &culprit.got);
    !series.is_empty() && series.iter().all(|labels| has_point(operand, Some(labels), is_such))
}

/// Whether a series, or the one of these labels but for its name, has such a point.
fn has_point(operand: &Asked, labels: Option<&Labels>, is_such: impl Fn(&Point) -> bool) -> bool {
    let Answer::Given(given) = &operand.expected else { return false };
    let bare = |labels: &Labels| -> Labels { labels.iter().filter(|(name, _)| name != "__name__").cloned().collect() };
    let alike = |own: &Labels| labels.is_none_or(|labels| bare(own) == bare(labels));
    given.series.iter().filter(|s| alike(&s.labels)).any(|s| s.points.iter().any(|(_, point)| is_such(point)))
}

type Labels = Vec<(String, String)>;

/// Whether all points of both answers, series by series, are the same in this sense.
fn all_points(expected: &Answer, got: &Answer, same: impl Fn(&Point, &Point) -> bool) -> bool {
    let (Answer::Given(expected), Answer::Given(got)) = (expected, got) else { return false };
    expected.series.len() == got.series.len()
        && expected.series.iter().all(|a| {
            let other = got.series.iter().find(|b| b.labels == a.labels);
            other.is_some_and(|b| {
                a.points.len() == b.points.len() && a.points.iter().zip(&b.points).all(|((_, a), (_, b))| same(a, b))
            })
        })
}

/// Whether the answers differ in notes only, and those are alike one by one.
fn notes_alike(case: &Case<'_>, alike: impl Fn(&str, &str) -> bool) -> bool {
    let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
    let all = |a: &[String], b: &[String]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b));
    matches!(case.difference.part, Part::Warnings | Part::Infos)
        && all(&expected.infos, &got.infos)
        && all(&expected.warnings, &got.warnings)
}

/// Whether two notes are the same but for the last digits of `got V`.
fn show_near_values(a: &str, b: &str) -> bool {
    let parts = |note: &str| {
        let (before, after) = note.split_once(", got ")?;
        let (value, rest) = after.split_once([' ', ','])?;
        Some((before.to_owned(), value.parse::<f64>().ok()?, rest.to_owned()))
    };
    match (parts(a), parts(b)) {
        (Some(a), Some(b)) => a.0 == b.0 && a.2 == b.2 && close(a.1, b.1),
        _ => a == b,
    }
}

/// The note without `over N samples`.
fn counts_no_samples(note: &str) -> String {
    let Some((before, after)) = note.split_once(", over ") else { return note.to_owned() };
    let rest = after.split_once(" samples ").map_or(after, |(_, rest)| rest);
    format!("{before}, {rest}")
}

/// The exception that explains `case`; where parts of the query have to be looked at, each of those that differ
/// must have one, and the first one's is given.
///
/// # Errors
/// When a side gives no answer to a part.
pub fn explain(case: &Case<'_>, sides: &Sides<'_>) -> Result<Option<&'static Exception>> {
    let whole = |exception: &&Exception| matches!(exception.applies, Judge::Answers(applies) if applies(case));
    if let Some(exception) = EXCEPTIONS.iter().find(whole) {
        return Ok(Some(exception));
    }
    let mut found = None;
    for culprit in culprit::find(sides, case.query, case.expected, case.got)? {
        let mut own = None;
        for exception in EXCEPTIONS {
            if let Judge::Part(applies) = exception.applies
                && applies(&culprit, sides)?
            {
                own = Some(exception);
                break;
            }
        }
        if own.is_none() {
            return Ok(None);
        }
        found = found.or(own);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
