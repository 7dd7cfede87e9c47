//! Hints in the plain form: `{"block_matchers": […], "enable_query_stats": …}` of a request, and of an answer
//! `{"type": …, "bytes": …, "queried_blocks": […], "query_stats": {…}}`, without numbers that are 0.

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use proto::hintspb as wire;
use serde_json::{Map, Value, json};

use super::{flag, matchers};
use crate::hints::pack;

/// The hints of a request for `rpc`, if it has any.
pub(super) fn of_request(request: &Value, rpc: &str) -> Result<Option<Any>, String> {
    let hints = &request["hints"];
    if hints.is_null() {
        return Ok(None);
    }
    // Those of the other calls are the same without the last field.
    let message = wire::SeriesRequestHints {
        block_matchers: matchers(&hints["block_matchers"])?,
        enable_query_stats: flag(hints, "enable_query_stats"),
    };
    Ok(Some(pack(&format!("{rpc}RequestHints"), &message)))
}

/// What an answer's hints say, as far as that is known.
pub(super) fn show(hints: &Any) -> Value {
    let mut shown = Map::from_iter([
        ("type".to_owned(), hints.type_url.clone().into()),
        ("bytes".to_owned(), hints.value.len().into()),
    ]);
    let known = hints.type_url.contains("hintspb.");
    // As above: the others are the same with fewer fields.
    if let Some(message) = known.then(|| wire::SeriesResponseHints::decode(&hints.value[..]).ok()).flatten() {
        let blocks: Vec<_> = message.queried_blocks.into_iter().map(|block| block.id).collect();
        shown.insert("queried_blocks".to_owned(), json!(blocks));
        shown.extend(message.query_stats.map(|stats| ("query_stats".to_owned(), show_stats(&stats))));
    }
    shown.into()
}

fn show_stats(s: &wire::QueryStats) -> Value {
    let ns = |d: &Option<prost_types::Duration>| {
        let duration = d.and_then(|d| Duration::try_from(d).ok()).unwrap_or_default();
        i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
    };
    let all = [
        ("blocks_queried", s.blocks_queried),
        ("merged_series_count", s.merged_series_count),
        ("merged_chunks_count", s.merged_chunks_count),
        ("postings_touched", s.postings_touched),
        ("postings_touched_size_sum", s.postings_touched_size_sum),
        ("postings_to_fetch", s.postings_to_fetch),
        ("postings_fetched", s.postings_fetched),
        ("postings_fetched_size_sum", s.postings_fetched_size_sum),
        ("postings_fetch_count", s.postings_fetch_count),
        ("series_touched", s.series_touched),
        ("series_touched_size_sum", s.series_touched_size_sum),
        ("series_fetched", s.series_fetched),
        ("series_fetched_size_sum", s.series_fetched_size_sum),
        ("series_fetch_count", s.series_fetch_count),
        ("chunks_touched", s.chunks_touched),
        ("chunks_touched_size_sum", s.chunks_touched_size_sum),
        ("chunks_fetched", s.chunks_fetched),
        ("chunks_fetched_size_sum", s.chunks_fetched_size_sum),
        ("chunks_fetch_count", s.chunks_fetch_count),
        ("data_downloaded_size_sum", s.data_downloaded_size_sum),
        ("get_all_duration_ns", ns(&s.get_all_duration)),
        ("merge_duration_ns", ns(&s.merge_duration)),
    ];
    let told = all.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name.to_owned(), n.into()));
    told.collect::<Map<_, _>>().into()
}
