//! Matchers across joins: where series pair up by a label, what one side asks of it the other may ask as
//! well, for its other series have no partner.
//!
//! It is done only where a series that is left out could not have been an error: where the side that has to
//! be unique in its match groups is so by construction. Notes about series that are left out are
//! not made; so rates are touched only of what is named as a counter.

use model::{METRIC_NAME, Matcher};
use promql::ast::{AggregateOp, BinaryOp, Cardinality};

use super::{Grouping, Id, Join, Node, Op, Scan, Source};
use crate::rollup::Rollup;

/// Hands matchers from one side of each join to the other, from the outermost join inwards; gives whether any
/// selector asks for less now.
pub(super) fn propagate(nodes: &mut [Node]) -> bool {
    let mut any = false;
    for id in (0..nodes.len()).rev() {
        let Op::Join(join) = &nodes[id].op else { continue };
        if join.matching.fill.lhs.is_some() || join.matching.fill.rhs.is_some() || join.op == BinaryOp::Or {
            continue;
        }
        let (lhs, rhs) = (join.lhs, join.rhs);
        let taking_part = |side: Id| -> Vec<Matcher> {
            let mut matchers = asked(nodes, side);
            matchers.retain(|matcher| matches_by(join, &matcher.name));
            matchers
        };
        let to_rhs = if may_take(nodes, join, true) { taking_part(lhs) } else { Vec::new() };
        let to_lhs = if may_take(nodes, join, false) { taking_part(rhs) } else { Vec::new() };
        for (side, matchers) in [(rhs, to_rhs), (lhs, to_lhs)] {
            for matcher in matchers {
                any |= give(nodes, side, &matcher);
            }
        }
    }
    any
}

/// Whether a label takes part in matching.
fn matches_by(join: &Join, label: &str) -> bool {
    label != METRIC_NAME && join.matching.labels.iter().any(|l| l == label) == join.matching.on
}

/// Whether series may be missing on a side without another outcome.
fn may_take(nodes: &[Node], join: &Join, is_rhs: bool) -> bool {
    match join.op {
        BinaryOp::And => true,
        BinaryOp::Unless => is_rhs,
        // Several partners are an error, if there is anything at all on the other side.
        _ => {
            let one = if join.matching.card == Cardinality::OneToMany { join.lhs } else { join.rhs };
            is_unique(nodes, join, one)
        }
    }
}

/// Whether no two series of a side can be in one match group.
fn is_unique(nodes: &[Node], join: &Join, side: Id) -> bool {
    let by_all = !join.matching.on && join.matching.labels.is_empty();
    match &nodes[side].op {
        Op::Scan(scan) => by_all && scan.name.is_some(),
        Op::Repeat(input) => is_unique(nodes, join, *input),
        Op::Aggregate(aggregate) if is_plain(aggregate.op) => {
            let Grouping { without, labels } = &aggregate.grouping;
            by_all || (!without && labels.iter().all(|label| matches_by(join, label)))
        }
        _ => false,
    }
}

/// Aggregations that give one series for each group.
fn is_plain(op: AggregateOp) -> bool {
    use AggregateOp::{Avg, Count, Group, Max, Min, Quantile, Stddev, Stdvar, Sum};
    matches!(op, Avg | Count | Group | Max | Min | Quantile | Stddev | Stdvar | Sum)
}

fn keeps(grouping: &Grouping, label: &str) -> bool {
    grouping.labels.iter().any(|l| l == label) != grouping.without
}

/// The matchers that every series of a node fulfils.
fn asked(nodes: &[Node], mut id: Id) -> Vec<Matcher> {
    let mut kept_by: Vec<&Grouping> = Vec::new();
    let scan = loop {
        match &nodes[id].op {
            Op::Scan(scan) => break scan,
            Op::Repeat(input) | Op::Map(input, _) => id = *input,
            Op::Join(join) if matches!(join.op, BinaryOp::And | BinaryOp::Unless) => id = join.lhs,
            Op::Aggregate(aggregate) if is_plain(aggregate.op) => {
                kept_by.push(&aggregate.grouping);
                match &aggregate.source {
                    Source::Scan(scan) => break scan,
                    Source::Node(input) => id = *input,
                }
            }
            _ => return Vec::new(),
        }
    };
    let holds = |matcher: &&Matcher| kept_by.iter().all(|grouping| keeps(grouping, &matcher.name));
    scan.matchers.iter().filter(holds).cloned().collect()
}

/// Lets the selectors of a node ask for `matcher`, where that is all the same; gives whether they do.
fn give(nodes: &mut [Node], mut id: Id, matcher: &Matcher) -> bool {
    let mut aggregated = false;
    loop {
        match &mut nodes[id].op {
            Op::Scan(scan) => return ask(scan, matcher, aggregated),
            Op::Repeat(input) => id = *input,
            Op::Join(join) if join.op == BinaryOp::And => id = join.lhs,
            Op::Aggregate(aggregate) if is_plain(aggregate.op) && keeps(&aggregate.grouping, &matcher.name) => {
                aggregated = true;
                match &mut aggregate.source {
                    Source::Scan(scan) => return ask(scan, matcher, true),
                    Source::Node(input) => id = *input,
                }
            }
            _ => return false,
        }
    }
}

fn ask(scan: &mut Scan, matcher: &Matcher, aggregated: bool) -> bool {
    let counter = scan
        .name
        .as_ref()
        .is_some_and(|name| ["_total", "_sum", "_count", "_bucket"].iter().any(|s| name.ends_with(s)));
    let silent = match scan.rollup {
        Rollup::Instant => scan.name.is_some() && (counter || !aggregated),
        Rollup::Rate | Rollup::Increase => counter,
        _ => false,
    };
    let asks = silent && scan.maps.is_empty() && !scan.matchers.contains(matcher);
    if asks {
        scan.matchers.push(matcher.clone());
    }
    asks
}
