//! Where in a query two answers begin to differ: the parts that differ although all that they read is the
//! same, or nearly so.

use anyhow::Result;
use promql::ast::{Ast, Kind, NodeId};
use promql::{Span, ValueType};

use crate::answer::{Answer, Point, Series};
use crate::compare::{self, Part};
use crate::query::{Query, When};
use crate::sides::Sides;

/// How far two answers are from each other; notes and the order of series do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    /// The same bits, NaNs being all the same.
    Same,
    /// Values differ by less than what counts as a difference.
    Near,
    Different,
}

/// A part of a query with both answers to it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub text: String,
    /// Within the culprit's text.
    pub span: Span,
    pub expected: Answer,
    pub got: Answer,
    pub distance: Distance,
}

/// A part that is answered differently, though none of its operands is.
#[derive(Clone, Debug)]
pub struct Culprit {
    /// Its own text, parsed; `root` is the operator.
    pub ast: Ast,
    pub query: Query,
    pub expected: Answer,
    pub got: Answer,
    /// What it reads, in the order of the text.
    pub operands: Vec<Asked>,
}

/// All culprits of `query`, whose answers `expected` and `got` differ. None where the parts cannot be asked one
/// by one.
///
/// # Errors
/// When a side gives no answer.
pub fn find(sides: &Sides<'_>, query: &Query, expected: &Answer, got: &Answer) -> Result<Vec<Culprit>> {
    let mut start = (query.clone(), expected.clone(), got.clone());
    // One step is easier to take apart than many.
    if let (When::Over { .. }, Some(t)) = (query.when, first_difference(expected, got)) {
        let single = Query { text: query.text.clone(), when: When::At(t) };
        let (expected, got) = sides.both(&single)?;
        if distance(&expected, &got) == Distance::Different {
            start = (single, expected, got);
        }
    }
    let (mut open, mut culprits) = (vec![start], Vec::new());
    while let Some((query, expected, got)) = open.pop() {
        let Ok(ast) = promql::parse(&query.text, &promql::Options::default()) else { return Ok(Vec::new()) };
        let root = ast.unwrap_parens(ast.root());
        if matches!(ast.kind(root), Kind::Subquery(_)) {
            // What it steps through, at the first step that differs.
            let (Some(inner), Some(t)) = (ast.children(root).next(), first_difference(&expected, &got)) else {
                return Ok(Vec::new());
            };
            let inner = Query { text: slice(&query.text, ast.span(inner)), when: When::At(t) };
            let (expected, got) = sides.both(&inner)?;
            if distance(&expected, &got) != Distance::Different {
                return Ok(Vec::new());
            }
            open.push((inner, expected, got));
            continue;
        }
        let mut operands = Vec::new();
        for child in ast.children(root).filter(|&child| is_asked(&ast, child)) {
            let part = Query { text: slice(&query.text, ast.span(child)), when: query.when };
            let (expected, got) = sides.both(&part)?;
            let distance = distance(&expected, &got);
            if distance == Distance::Different {
                open.push((part.clone(), expected.clone(), got.clone()));
            }
            operands.push(Asked { text: part.text, span: ast.span(child), expected, got, distance });
        }
        // Parameters of aggregations stand before what they aggregate.
        operands.sort_by_key(|operand| operand.span.start);
        if operands.iter().all(|operand| operand.distance != Distance::Different) {
            culprits.push(Culprit { ast, query, expected, got, operands });
        }
    }
    Ok(culprits)
}

/// Literals are what they are.
fn is_asked(ast: &Ast, id: NodeId) -> bool {
    ast.value_type(id) != ValueType::String && !matches!(ast.kind(ast.unwrap_parens(id)), Kind::Number(_))
}

pub(crate) fn slice(text: &str, span: Span) -> String {
    text.get(span.start as usize..span.end as usize).unwrap_or_default().to_owned()
}

/// How far apart two answers are.
#[must_use]
pub fn distance(expected: &Answer, got: &Answer) -> Distance {
    match compare::difference(expected, got, false).map(|difference| difference.part) {
        None | Some(Part::Wording | Part::Warnings | Part::Infos | Part::Order) => {}
        Some(_) => return Distance::Different,
    }
    let (Answer::Given(a), Answer::Given(b)) = (expected, got) else { return Distance::Same };
    let same = |a: &Series| b.series.iter().any(|b| a.labels == b.labels && a.points.iter().zip(&b.points).all(same));
    if a.series.iter().all(same) { Distance::Same } else { Distance::Near }
}

fn same((a, b): (&(i64, Point), &(i64, Point))) -> bool {
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    match (&a.1, &b.1) {
        (Point::Float(a), Point::Float(b)) => same(*a, *b),
        (Point::Histogram(a), Point::Histogram(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b)),
        (a, b) => a == b,
    }
}

/// The label sets of one answer or both whose points differ.
#[must_use]
pub fn differing(expected: &Answer, got: &Answer) -> Vec<Vec<(String, String)>> {
    let (Answer::Given(a), Answer::Given(b)) = (expected, got) else { return Vec::new() };
    let mut labels: Vec<_> = a.series.iter().chain(&b.series).map(|series| series.labels.clone()).collect();
    labels.sort_unstable();
    labels.dedup();
    labels.retain(|labels| earliest(labels, &a.series, &b.series).is_some());
    labels
}

/// The first time at which a series is in one answer only, or differs.
fn first_difference(expected: &Answer, got: &Answer) -> Option<i64> {
    let (Answer::Given(a), Answer::Given(b)) = (expected, got) else { return None };
    let all = a.series.iter().chain(&b.series);
    all.filter_map(|series| earliest(&series.labels, &a.series, &b.series)).min()
}

fn earliest(labels: &[(String, String)], a: &[Series], b: &[Series]) -> Option<i64> {
    let points = |all: &[Series]| -> Vec<(i64, Point)> {
        all.iter().find(|series| series.labels == labels).map_or(Vec::new(), |series| series.points.clone())
    };
    let (a, b) = (points(a), points(b));
    let lacks = |own: &(i64, Point), other: &[(i64, Point)]| {
        !other.iter().any(|point| point.0 == own.0 && compare::same(&own.1, &point.1))
    };
    let alone = a.iter().filter(|p| lacks(p, &b)).chain(b.iter().filter(|p| lacks(p, &a)));
    alone.map(|(t, _)| *t).min()
}
