//! The `hints` of requests and answers: which blocks are to be read, which were, and what that took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::request::{Context, Tally, Took};
use model::Matcher;
use prost::Message;
use prost_types::Any;
use proto::hintspb as wire;
use store::{Error, Frame, Looked, Stats};

use crate::request::{matchers_from_wire, matchers_to_wire};

/// Deeper parts, and more of one, are left out.
const DEPTH_MAX: usize = 8;
const PARTS_MAX: usize = 4096;

/// A message of the package `hintspb` as it travels.
pub(crate) fn pack(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/hintspb.{name}"), value: message.encode_to_vec() }
}

/// `None` where the hints are somebody else's.
fn unpack<M: Message + Default>(name: &str, hints: Option<&Any>) -> Result<Option<M>, Error> {
    let Some(any) = hints else { return Ok(None) };
    let ours = any.type_url.rsplit('/').next().and_then(|n| n.strip_prefix("hintspb.")) == Some(name);
    if !ours {
        return Ok(None);
    }
    let wrong = |e| Error::BadRequest(format!("hints of a request: {e}"));
    M::decode(&any.value[..]).map(Some).map_err(wrong)
}

/// What a series request asks for beside series.
pub(crate) fn ask(blocks: &[Matcher], stats: bool) -> Option<Any> {
    let hints = wire::SeriesRequestHints { block_matchers: matchers_to_wire(blocks), enable_query_stats: stats };
    (stats || !blocks.is_empty()).then(|| pack("SeriesRequestHints", &hints))
}

/// The matchers of blocks, and whether statistics are wanted.
pub(crate) fn asked(hints: Option<&Any>) -> Result<(Vec<Matcher>, bool), Error> {
    let Some(hints) = unpack::<wire::SeriesRequestHints>("SeriesRequestHints", hints)? else {
        return Ok((Vec::new(), false));
    };
    Ok((matchers_from_wire(hints.block_matchers)?, hints.enable_query_stats))
}

/// Which of the two calls for labels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Labels {
    Names,
    Values,
}

impl Labels {
    fn name(self, side: &str) -> String {
        match self {
            Self::Names => format!("LabelNames{side}Hints"),
            Self::Values => format!("LabelValues{side}Hints"),
        }
    }

    pub(crate) fn ask(self, blocks: &[Matcher]) -> Option<Any> {
        // Both calls have the same one.
        let hints = wire::LabelNamesRequestHints { block_matchers: matchers_to_wire(blocks) };
        (!blocks.is_empty()).then(|| pack(&self.name("Request"), &hints))
    }

    pub(crate) fn asked(self, hints: Option<&Any>) -> Result<Vec<Matcher>, Error> {
        let hints = unpack::<wire::LabelNamesRequestHints>(&self.name("Request"), hints)?;
        matchers_from_wire(hints.unwrap_or_default().block_matchers)
    }

    /// `None` for a store that has no blocks.
    pub(crate) fn answer(self, blocks: &[String]) -> Option<Any> {
        let hints = wire::LabelNamesResponseHints { queried_blocks: blocks_to_wire(blocks) };
        (!blocks.is_empty()).then(|| pack(&self.name("Response"), &hints))
    }

    pub(crate) fn answered(self, hints: Option<&Any>) -> Vec<String> {
        // Hints that make no sense say nothing.
        let hints = unpack::<wire::LabelNamesResponseHints>(&self.name("Response"), hints).ok().flatten();
        hints.unwrap_or_default().queried_blocks.into_iter().map(|b| b.id).collect()
    }
}

fn blocks_to_wire(blocks: &[String]) -> Vec<wire::Block> {
    blocks.iter().map(|id| wire::Block { id: id.clone() }).collect()
}

/// What a server gathers of one series call.
#[derive(Debug)]
pub(crate) struct Gathered {
    stats: Stats,
    series: u64,
    chunks: u64,
    since: Instant,
    /// When the first frame came.
    first: Option<Instant>,
    /// Where what the parts took is counted, if somebody asked.
    tally: Option<Arc<Tally>>,
}

impl Gathered {
    pub(crate) fn new(tally: Option<Arc<Tally>>) -> Self {
        Self { stats: Stats::default(), series: 0, chunks: 0, since: Instant::now(), first: None, tally }
    }

    pub(crate) fn add(&mut self, frame: &Frame) {
        self.first.get_or_insert_with(Instant::now);
        match frame {
            Frame::Batch(batch) => {
                self.series += batch.len() as u64;
                self.chunks += batch.chunk_count();
            }
            Frame::Stats(stats) => self.stats.add(stats),
            Frame::Missing(_) => {}
        }
    }

    /// What goes last in the stream; `None` where there is nothing to say.
    pub(crate) fn hints(&self) -> Option<Any> {
        let queried_blocks = blocks_to_wire(&self.stats.blocks);
        if self.tally.is_none() && queried_blocks.is_empty() {
            return None;
        }
        let query_stats = self.tally.as_ref().map(|_| self.query_stats());
        let parts = self.tally.as_ref().map(|tally| parts_to_wire(tally, 0)).unwrap_or_default();
        Some(pack("SeriesResponseHints", &wire::SeriesResponseHints { queried_blocks, query_stats, parts }))
    }

    fn query_stats(&self) -> wire::QueryStats {
        let Stats { postings, series, chunks, .. } = &self.stats;
        let first = self.first.unwrap_or(self.since);
        wire::QueryStats {
            blocks_queried: signed(self.stats.blocks_queried),
            merged_series_count: signed(self.series),
            merged_chunks_count: signed(self.chunks),
            postings_touched: signed(postings.touched),
            postings_touched_size_sum: signed(postings.touched_bytes),
            postings_to_fetch: signed(postings.touched),
            postings_fetched: signed(postings.fetched),
            postings_fetched_size_sum: signed(postings.fetched_bytes),
            postings_fetch_count: signed(postings.requests),
            series_touched: signed(series.touched),
            series_touched_size_sum: signed(series.touched_bytes),
            series_fetched: signed(series.fetched),
            series_fetched_size_sum: signed(series.fetched_bytes),
            series_fetch_count: signed(series.requests),
            chunks_touched: signed(chunks.touched),
            chunks_touched_size_sum: signed(chunks.touched_bytes),
            chunks_fetched: signed(chunks.fetched),
            chunks_fetched_size_sum: signed(chunks.fetched_bytes),
            chunks_fetch_count: signed(chunks.requests),
            data_downloaded_size_sum: signed(self.stats.bytes_fetched()),
            get_all_duration: (first - self.since).try_into().ok(),
            merge_duration: first.elapsed().try_into().ok(),
        }
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn parts_to_wire(tally: &Tally, depth: usize) -> Vec<wire::Part> {
    if depth >= DEPTH_MAX {
        return Vec::new();
    }
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let part = |part: &Arc<Tally>| {
        let took = part.took();
        wire::Part {
            name: part.name().to_owned(),
            time_ns: nanos(took.time),
            cpu_ns: nanos(took.cpu),
            responses: took.responses,
            series: took.series,
            chunks: took.chunks,
            samples: took.samples,
            bytes: took.bytes,
            fetched_bytes: took.fetched_bytes,
            requests: took.requests,
            parts: parts_to_wire(part, depth + 1),
        }
    };
    tally.parts().iter().take(PARTS_MAX).map(part).collect()
}

/// What a peer says of its answer; what its parts took is counted in the context's tally.
pub(crate) fn answered(cx: &Context, hints: &Any) -> Option<Stats> {
    // Hints that make no sense say nothing.
    let hints = unpack::<wire::SeriesResponseHints>("SeriesResponseHints", Some(hints)).ok()??;
    let blocks: Vec<String> = hints.queried_blocks.into_iter().map(|b| b.id).collect();
    let stats = stats_from_wire(blocks, &hints.query_stats.unwrap_or_default());
    if let Some(tally) = cx.tally() {
        let (fetched_bytes, requests) = (stats.bytes_fetched(), stats.requests());
        tally.add(Took { fetched_bytes, requests, ..Took::default() });
        if hints.parts.is_empty() {
            // A Thanos store tells no more of them.
            stats.blocks.iter().take(PARTS_MAX).for_each(|id| drop(tally.part(id)));
        }
        add_parts(tally, hints.parts, 0);
    }
    Some(stats)
}

fn stats_from_wire(blocks: Vec<String>, s: &wire::QueryStats) -> Stats {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let looked = |[touched, touched_bytes, fetched, fetched_bytes, requests]: [i64; 5]| Looked {
        touched: number(touched),
        touched_bytes: number(touched_bytes),
        fetched: number(fetched),
        fetched_bytes: number(fetched_bytes),
        requests: number(requests),
    };
    Stats {
        blocks_queried: number(s.blocks_queried).max(blocks.len() as u64),
        blocks,
        postings: looked([
            s.postings_touched,
            s.postings_touched_size_sum,
            s.postings_fetched,
            s.postings_fetched_size_sum,
            s.postings_fetch_count,
        ]),
        series: looked([
            s.series_touched,
            s.series_touched_size_sum,
            s.series_fetched,
            s.series_fetched_size_sum,
            s.series_fetch_count,
        ]),
        chunks: looked([
            s.chunks_touched,
            s.chunks_touched_size_sum,
            s.chunks_fetched,
            s.chunks_fetched_size_sum,
            s.chunks_fetch_count,
        ]),
    }
}

fn add_parts(tally: &Tally, parts: Vec<wire::Part>, depth: usize) {
    if depth >= DEPTH_MAX {
        return;
    }
    for part in parts.into_iter().take(PARTS_MAX) {
        let into = tally.part(&part.name);
        into.add(Took {
            time: Duration::from_nanos(part.time_ns),
            cpu: Duration::from_nanos(part.cpu_ns),
            responses: part.responses,
            series: part.series,
            chunks: part.chunks,
            samples: part.samples,
            bytes: part.bytes,
            fetched_bytes: part.fetched_bytes,
            requests: part.requests,
            memory_peak: 0,
        });
        add_parts(&into, part.parts, depth + 1);
    }
}

#[cfg(test)]
mod tests;
