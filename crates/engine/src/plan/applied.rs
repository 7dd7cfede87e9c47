//! Which rewrites have changed a plan, told from what it looks like.

use super::{Node, Op, Rewrite, Rewrites, Scan, Source};

/// Those of `allowed` that are made while a plan is built.
pub(super) fn while_building(nodes: &[Node], allowed: Rewrites) -> Rewrites {
    let mut applied = Rewrites::none();
    for node in nodes {
        let fused = matches!(&node.op, Op::Aggregate(aggregate) if matches!(aggregate.source, Source::Scan(_)));
        let scan = scan_of(&node.op);
        let has = [
            (Rewrite::Once, matches!(node.op, Op::Repeat(_))),
            (Rewrite::Fuse, fused || scan.is_some_and(|scan| !scan.maps.is_empty())),
            (Rewrite::Hint, scan.is_some_and(|scan| !scan.func.is_empty() || scan.grouping.is_some())),
        ];
        for (rewrite, _) in has.into_iter().filter(|(rewrite, has)| *has && allowed.has(*rewrite)) {
            applied = applied.with(rewrite);
        }
    }
    applied
}

/// `applied`, and sharing where something is there for several.
pub(super) fn by_sharing(applied: Rewrites, nodes: &[Node]) -> Rewrites {
    let shared = |node: &Node| node.times > 1 || matches!(node.op, Op::Part(..));
    if nodes.iter().any(shared) { applied.with(Rewrite::Share) } else { applied }
}

fn scan_of(op: &Op) -> Option<&Scan> {
    match op {
        Op::Scan(scan) | Op::Samples(scan) => Some(scan),
        Op::Aggregate(aggregate) => match &aggregate.source {
            Source::Scan(scan) => Some(scan),
            Source::Node(_) => None,
        },
        _ => None,
    }
}
