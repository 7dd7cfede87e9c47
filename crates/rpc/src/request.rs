//! Requests, both ways.

use block::Aggregate;
use block::spread::SpreadUse;
use model::{MatchOp, Matcher, TimeRange};
use proto::thanos as wire;
use store::{Error, Grouping, LabelsRequest, PartialResponse, QueryHints, SeriesRequest, Shard};

use crate::hints::{self, Labels};

/// `stats`: whether to say what the answer took.
pub(crate) fn series_to_wire(r: &SeriesRequest, stats: bool) -> wire::SeriesRequest {
    wire::SeriesRequest {
        min_time: r.range.min,
        max_time: r.range.max,
        matchers: matchers_to_wire(&r.matchers),
        max_resolution_window: r.max_resolution_ms,
        aggregates: r.aggregates.iter().map(|&a| aggregate_to_wire(a).into()).collect(),
        partial_response_disabled: r.partial_response == PartialResponse::Abort,
        partial_response_strategy: strategy(r.partial_response),
        skip_chunks: r.skip_chunks,
        hints: hints::ask(&r.block_matchers, stats),
        step: r.hints.step_ms,
        range: r.hints.range_ms,
        query_hints: Some(hints_to_wire(&r.hints)),
        shard_info: r.shard.as_ref().map(|s| wire::ShardInfo {
            shard_index: saturating(s.index),
            total_shards: saturating(s.total),
            by: s.by,
            labels: s.labels.clone(),
        }),
        without_replica_labels: r.without_replica_labels.clone(),
        limit: saturating(r.limit),
        response_batch_size: i64::try_from(r.batch_size).unwrap_or(64),
    }
}

/// The request, and whether to say what the answer took.
pub(crate) fn series_from_wire(r: wire::SeriesRequest) -> Result<(SeriesRequest, bool), Error> {
    let (block_matchers, stats) = hints::asked(r.hints.as_ref())?;
    let aggregates = r.aggregates.iter().map(|&a| aggregate_from_wire(a)).collect::<Result<Vec<_>, _>>()?;
    let request = SeriesRequest {
        range: TimeRange::new(r.min_time, r.max_time),
        matchers: matchers_from_wire(r.matchers)?,
        max_resolution_ms: r.max_resolution_window,
        aggregates: if aggregates.is_empty() { vec![Aggregate::Raw] } else { aggregates },
        skip_chunks: r.skip_chunks,
        without_replica_labels: r.without_replica_labels,
        shard: r.shard_info.map(shard_from_wire).transpose()?.flatten(),
        limit: u64::try_from(r.limit).unwrap_or(0),
        batch_size: usize::try_from(r.response_batch_size).unwrap_or(0).clamp(1, 10_000),
        partial_response: partial(r.partial_response_disabled, r.partial_response_strategy),
        hints: r.query_hints.map(hints_from_wire).unwrap_or_default(),
        spread: SpreadUse::Nothing,
        block_matchers,
    };
    Ok((request, stats))
}

fn shard_from_wire(s: wire::ShardInfo) -> Result<Option<Shard>, Error> {
    let number = |n: i64| u64::try_from(n).map_err(|_| Error::BadRequest(format!("negative number {n} in shard_info")));
    let (index, total) = (number(s.shard_index)?, number(s.total_shards)?);
    Ok((total > 1).then_some(Shard { index, total, by: s.by, labels: s.labels }))
}

fn hints_to_wire(h: &QueryHints) -> wire::QueryHints {
    wire::QueryHints {
        step_millis: h.step_ms,
        func: (!h.func.is_empty()).then(|| wire::Func { name: h.func.clone() }),
        grouping: h.grouping.as_ref().map(|g| wire::Grouping { by: g.by, labels: g.labels.clone() }),
        range: (h.range_ms > 0).then_some(wire::Range { millis: h.range_ms }),
        ..wire::QueryHints::default()
    }
}

fn hints_from_wire(h: wire::QueryHints) -> QueryHints {
    QueryHints {
        step_ms: h.step_millis,
        func: h.func.map(|f| f.name).unwrap_or_default(),
        range_ms: h.range.map_or(0, |r| r.millis),
        grouping: h.grouping.map(|g| Grouping { by: g.by, labels: g.labels }),
    }
}

pub(crate) fn names_to_wire(r: &LabelsRequest) -> wire::LabelNamesRequest {
    wire::LabelNamesRequest {
        partial_response_disabled: r.partial_response == PartialResponse::Abort,
        partial_response_strategy: strategy(r.partial_response),
        start: r.range.min,
        end: r.range.max,
        hints: Labels::Names.ask(&r.block_matchers),
        matchers: matchers_to_wire(&r.matchers),
        without_replica_labels: r.without_replica_labels.clone(),
        limit: saturating(r.limit),
    }
}

pub(crate) fn names_from_wire(r: wire::LabelNamesRequest) -> Result<LabelsRequest, Error> {
    let block_matchers = Labels::Names.asked(r.hints.as_ref())?;
    Ok(LabelsRequest {
        block_matchers,
        label: String::new(),
        range: TimeRange::new(r.start, r.end),
        matchers: matchers_from_wire(r.matchers)?,
        without_replica_labels: r.without_replica_labels,
        limit: u64::try_from(r.limit).unwrap_or(0),
        partial_response: partial(r.partial_response_disabled, r.partial_response_strategy),
    })
}

pub(crate) fn values_to_wire(r: &LabelsRequest) -> wire::LabelValuesRequest {
    wire::LabelValuesRequest {
        label: r.label.clone(),
        partial_response_disabled: r.partial_response == PartialResponse::Abort,
        partial_response_strategy: strategy(r.partial_response),
        start: r.range.min,
        end: r.range.max,
        hints: Labels::Values.ask(&r.block_matchers),
        matchers: matchers_to_wire(&r.matchers),
        without_replica_labels: r.without_replica_labels.clone(),
        limit: saturating(r.limit),
    }
}

pub(crate) fn values_from_wire(r: wire::LabelValuesRequest) -> Result<LabelsRequest, Error> {
    let block_matchers = Labels::Values.asked(r.hints.as_ref())?;
    Ok(LabelsRequest {
        block_matchers,
        label: r.label,
        range: TimeRange::new(r.start, r.end),
        matchers: matchers_from_wire(r.matchers)?,
        without_replica_labels: r.without_replica_labels,
        limit: u64::try_from(r.limit).unwrap_or(0),
        partial_response: partial(r.partial_response_disabled, r.partial_response_strategy),
    })
}

pub(crate) fn matchers_to_wire(matchers: &[Matcher]) -> Vec<wire::LabelMatcher> {
    let to_wire = |m: &Matcher| {
        let kind = match m.op {
            MatchOp::Equal => wire::label_matcher::Type::Eq,
            MatchOp::NotEqual => wire::label_matcher::Type::Neq,
            MatchOp::Regex => wire::label_matcher::Type::Re,
            MatchOp::NotRegex => wire::label_matcher::Type::Nre,
        };
        wire::LabelMatcher { r#type: kind.into(), name: m.name.to_string(), value: m.value.to_string() }
    };
    matchers.iter().map(to_wire).collect()
}

pub(crate) fn matchers_from_wire(matchers: Vec<wire::LabelMatcher>) -> Result<Vec<Matcher>, Error> {
    let from_wire = |m: wire::LabelMatcher| {
        let op = match wire::label_matcher::Type::try_from(m.r#type) {
            Ok(wire::label_matcher::Type::Eq) => MatchOp::Equal,
            Ok(wire::label_matcher::Type::Neq) => MatchOp::NotEqual,
            Ok(wire::label_matcher::Type::Re) => MatchOp::Regex,
            Ok(wire::label_matcher::Type::Nre) => MatchOp::NotRegex,
            Err(e) => return Err(Error::BadRequest(format!("unknown type {} of a matcher", e.0))),
        };
        Matcher::new(op, m.name, m.value).map_err(|e| Error::BadRequest(e.to_string()))
    };
    matchers.into_iter().map(from_wire).collect()
}

fn aggregate_to_wire(a: Aggregate) -> wire::Aggr {
    match a {
        Aggregate::Raw => wire::Aggr::Raw,
        Aggregate::Count => wire::Aggr::Count,
        Aggregate::Sum => wire::Aggr::Sum,
        Aggregate::Min => wire::Aggr::Min,
        Aggregate::Max => wire::Aggr::Max,
        Aggregate::Counter => wire::Aggr::Counter,
    }
}

fn aggregate_from_wire(number: i32) -> Result<Aggregate, Error> {
    Ok(match wire::Aggr::try_from(number) {
        Ok(wire::Aggr::Raw) => Aggregate::Raw,
        Ok(wire::Aggr::Count) => Aggregate::Count,
        Ok(wire::Aggr::Sum) => Aggregate::Sum,
        Ok(wire::Aggr::Min) => Aggregate::Min,
        Ok(wire::Aggr::Max) => Aggregate::Max,
        Ok(wire::Aggr::Counter) => Aggregate::Counter,
        Err(e) => return Err(Error::BadRequest(format!("unknown aggregate {}", e.0))),
    })
}

fn strategy(partial: PartialResponse) -> i32 {
    match partial {
        PartialResponse::Warn => wire::PartialResponseStrategy::Warn.into(),
        PartialResponse::Abort => wire::PartialResponseStrategy::Abort.into(),
    }
}

fn partial(disabled: bool, strategy: i32) -> PartialResponse {
    if disabled || strategy == i32::from(wire::PartialResponseStrategy::Abort) {
        PartialResponse::Abort
    } else {
        PartialResponse::Warn
    }
}

fn saturating(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
