//! What the operators of a plan are called.

use std::fmt::Write;

use model::{METRIC_NAME, MatchOp, Matcher};

use crate::Grid;
use crate::plan::{Aggregate, BucketFunction, Buckets, Grouping, Join, Map, Op, ScalarOp, Scan, Sort, Source};
use crate::rollup::{Edges, Rollup, Shape};

/// The kind of an operator and what it does.
pub(super) fn of(op: &Op, grid: &Grid) -> (&'static str, String) {
    match op {
        Op::Fused => ("fused", String::new()),
        Op::Number(value) => ("number", format!("{value}")),
        Op::Text(text) => ("string", format!("{:?}", String::from_utf8_lossy(text))),
        Op::Time => ("time", "time()".to_owned()),
        Op::Scan(scan) => ("select", selection(scan)),
        Op::Samples(scan) => ("select", format!("samples of {}", selection(scan))),
        Op::Steps(_) => ("subquery", format!("steps of {}", duration(grid.step_ms))),
        Op::Subquery(rollup) => {
            let mut name = format!("{} over [{}", snake(rollup.rollup), duration(rollup.shape.window_ms));
            append(&mut name, format_args!(":{}]{}", duration(rollup.grid.step_ms), modifiers(&rollup.shape)));
            ("subquery", name)
        }
        Op::Repeat(_) => ("repeat", "the same at every step".to_owned()),
        Op::Map(_, map) => ("map", of_map(map)),
        Op::Aggregate(aggregate) => ("aggregate", of_aggregate(aggregate)),
        Op::Aggregates(aggregates) => {
            let each = aggregates.parts.iter().map(|part| format!("{}{}", part.op, grouping(&part.grouping)));
            ("aggregates", format!("{}, as series come", each.collect::<Vec<_>>().join(" and ")))
        }
        Op::Part(_, part) => ("aggregate", format!("number {} of several", part + 1)),
        Op::Scalars(op, ..) => ("scalar", of_scalars(*op).to_owned()),
        Op::Join(join) => ("join", of_join(join)),
        Op::ToScalar(_) => ("scalar", "scalar()".to_owned()),
        Op::ToVector(_) => ("vector", "vector()".to_owned()),
        Op::Buckets(buckets) => ("buckets", of_buckets(buckets)),
        Op::LabelReplace(replace) => ("labels", format!("label_replace to {}", replace.target)),
        Op::LabelJoin(join) => ("labels", format!("label_join to {}", join.target)),
        Op::Info(_) => ("info", "info".to_owned()),
        Op::Sort(sort) => ("sort", of_sort(sort)),
        Op::Absent(..) => ("absent", "absent".to_owned()),
        Op::Nothing => ("nothing", "no series".to_owned()),
    }
}

/// A selector with the functions that are applied as its series come.
pub(super) fn selection(scan: &Scan) -> String {
    let mut name = selector(&scan.matchers);
    if scan.range_ms > 0 {
        append(&mut name, format_args!("[{}]", duration(scan.range_ms)));
    }
    name.push_str(match scan.shape.edges {
        Edges::Open => "",
        Edges::Anchored => " anchored",
        Edges::Smoothed => " smoothed",
    });
    name.push_str(&modifiers(&scan.shape));
    if !scan.func.is_empty() {
        name = format!("{}({name})", scan.func);
    } else if scan.rollup == Rollup::Timestamp {
        name = format!("timestamp({name})");
    }
    for map in &scan.maps {
        append(&mut name, format_args!(", then {}", of_map(map)));
    }
    name
}

/// As PromQL writes it.
fn selector(matchers: &[Matcher]) -> String {
    let named = |m: &&Matcher| &*m.name == METRIC_NAME && m.op == MatchOp::Equal && plain(&m.value);
    let name = matchers.iter().position(|m| named(&m));
    let mut text = name.map_or_else(String::new, |i| matchers[i].value.to_string());
    let others: Vec<String> =
        matchers.iter().enumerate().filter(|(i, _)| Some(*i) != name).map(|(_, m)| m.to_string()).collect();
    if !others.is_empty() || text.is_empty() {
        append(&mut text, format_args!("{{{}}}", others.join(",")));
    }
    text
}

fn plain(name: &str) -> bool {
    let plain =
        |(i, b): (usize, u8)| matches!(b, b'_' | b':') || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit());
    !name.is_empty() && name.bytes().enumerate().all(plain)
}

fn modifiers(shape: &Shape) -> String {
    let mut text = String::new();
    if let Some(at) = shape.at_ms {
        append(&mut text, format_args!(" @ {}", at as f64 / 1000.0));
    }
    if shape.offset_ms != 0 {
        append(&mut text, format_args!(" offset {}", duration(shape.offset_ms)));
    }
    text
}

fn of_map(map: &Map) -> String {
    match map {
        Map::Math(function) | Map::Date(function) => snake(function),
        Map::Negate => "negate".to_owned(),
        Map::Arithmetic { op, scalar_first, return_bool, .. } => {
            let bool = if *return_bool { " bool" } else { "" };
            if *scalar_first { format!("scalar {op}{bool}") } else { format!("{op}{bool} scalar") }
        }
        Map::Clamp { min, max } => match (min, max) {
            (Some(_), None) => "clamp_min".to_owned(),
            (None, Some(_)) => "clamp_max".to_owned(),
            _ => "clamp".to_owned(),
        },
        Map::Round { .. } => "round".to_owned(),
    }
}

fn of_aggregate(aggregate: &Aggregate) -> String {
    let mut name = format!("{}{}", aggregate.op, grouping(&aggregate.grouping));
    if matches!(aggregate.source, Source::Scan(_)) {
        name.push_str(", as series come");
    }
    name
}

fn grouping(grouping: &Grouping) -> String {
    match (grouping.without, grouping.labels.is_empty()) {
        (false, true) => String::new(),
        (true, _) => format!(" without ({})", grouping.labels.join(", ")),
        (false, false) => format!(" by ({})", grouping.labels.join(", ")),
    }
}

fn of_scalars(op: ScalarOp) -> &'static str {
    match op {
        ScalarOp::Binary(op) => op.as_str(),
        ScalarOp::MaxOf => "max_of",
        ScalarOp::MinOf => "min_of",
    }
}

fn of_join(join: &Join) -> String {
    let mut name = join.op.as_str().to_owned();
    if join.return_bool {
        name.push_str(" bool");
    }
    let matching = &join.matching;
    if matching.on || !matching.labels.is_empty() {
        let how = if matching.on { "on" } else { "ignoring" };
        append(&mut name, format_args!(" {how} ({})", matching.labels.join(", ")));
    }
    append(&mut name, format_args!(", {}", matching.card.as_str()));
    if !matching.include.is_empty() {
        append(&mut name, format_args!(" with ({})", matching.include.join(", ")));
    }
    name
}

fn of_buckets(buckets: &Buckets) -> String {
    match &buckets.what {
        BucketFunction::Quantile => "histogram_quantile".to_owned(),
        BucketFunction::Quantiles(label) => format!("histogram_quantiles as {label}"),
        BucketFunction::Fraction => "histogram_fraction".to_owned(),
        BucketFunction::OfNative(function) => snake(function),
    }
}

fn of_sort(sort: &Sort) -> String {
    let mut name = "sort".to_owned();
    if let Some(labels) = &sort.labels {
        append(&mut name, format_args!(" by ({})", labels.join(", ")));
    }
    if sort.descending {
        name.push_str(", descending");
    }
    name
}

/// A variant's name as PromQL spells functions.
fn snake(variant: impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn duration(ms: i64) -> String {
    model::duration::format(ms)
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _infallible = text.write_fmt(what);
}
