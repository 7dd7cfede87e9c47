//! When two parts give the same: equal in all but their place in the query.

use super::super::{Aggregate, Map, Node, Op, Scan, Source};

pub(super) fn nodes(a: &Node, b: &Node) -> bool {
    a.grid == b.grid && ops(&a.op, &b.op)
}

fn ops(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Number(a), Op::Number(b)) => a.to_bits() == b.to_bits(),
        (Op::Text(a), Op::Text(b)) => a == b,
        (Op::Time, Op::Time) | (Op::Nothing, Op::Nothing) => true,
        (Op::Scan(a), Op::Scan(b)) => scans(a, b),
        (Op::Repeat(a), Op::Repeat(b)) | (Op::ToScalar(a), Op::ToScalar(b)) | (Op::ToVector(a), Op::ToVector(b)) => {
            a == b
        }
        (Op::Subquery(a), Op::Subquery(b)) => {
            (a.input, a.grid, a.shape, a.rollup, &a.params) == (b.input, b.grid, b.shape, b.rollup, &b.params)
        }
        (Op::Map(a, a_map), Op::Map(b, b_map)) => a == b && maps(a_map, b_map),
        (Op::Aggregate(a), Op::Aggregate(b)) => aggregates(a, b),
        (Op::Scalars(a, a_lhs, a_rhs), Op::Scalars(b, b_lhs, b_rhs)) => (a, a_lhs, a_rhs) == (b, b_lhs, b_rhs),
        (Op::Join(a), Op::Join(b)) => {
            (a.op, a.lhs, a.rhs, a.return_bool) == (b.op, b.lhs, b.rhs, b.return_bool) && a.matching == b.matching
        }
        (Op::LabelJoin(a), Op::LabelJoin(b)) => {
            (a.input, &a.target, &a.separator, &a.sources) == (b.input, &b.target, &b.separator, &b.sources)
        }
        (Op::Absent(a, a_labels), Op::Absent(b, b_labels)) => a == b && a_labels == b_labels,
        // Buckets have notes that keep their first place and others that keep their last: each is evaluated,
        // over a shared input. The others are rare, or the whole query.
        _ => false,
    }
}

/// The grouping above is only a hint.
pub(super) fn scans(a: &Scan, b: &Scan) -> bool {
    (a.rollup, a.shape, &a.params, a.range_ms, a.statistics) == (b.rollup, b.shape, &b.params, b.range_ms, b.statistics)
        && a.matchers == b.matchers
        && a.name == b.name
        && a.func == b.func
        && a.maps.len() == b.maps.len()
        && a.maps.iter().zip(&b.maps).all(|(a, b)| maps(a, b))
}

fn aggregates(a: &Aggregate, b: &Aggregate) -> bool {
    let source = match (&a.source, &b.source) {
        (Source::Scan(a), Source::Scan(b)) => scans(a, b),
        (Source::Node(a), Source::Node(b)) => a == b,
        _ => false,
    };
    source && (a.op, &a.grouping, a.param, &a.label) == (b.op, &b.grouping, b.param, &b.label)
}

fn maps(a: &Map, b: &Map) -> bool {
    match (a, b) {
        (Map::Math(a), Map::Math(b)) | (Map::Date(a), Map::Date(b)) => a == b,
        (Map::Negate, Map::Negate) => true,
        (
            Map::Arithmetic { op, scalar, scalar_first, return_bool, .. },
            Map::Arithmetic { op: b_op, scalar: b_scalar, scalar_first: b_first, return_bool: b_bool, .. },
        ) => (op, scalar, scalar_first, return_bool) == (b_op, b_scalar, b_first, b_bool),
        (Map::Clamp { min, max }, Map::Clamp { min: b_min, max: b_max }) => (min, max) == (b_min, b_max),
        (Map::Round { to }, Map::Round { to: b_to }) => to == b_to,
        _ => false,
    }
}
