//! The suite that every [`Store`] passes, whatever it is made of.
//!
//! [`run`] fills a store with [`Data`] through the caller's function and asks it everything the trait
//! promises. It panics with what was asked and what came, as tests do.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use block::{Columns, chunk};
use model::{Labels, LabelsBuilder, MatchOp, Matcher, TimeRange};
use request::Context;

use crate::testing::{batches, labels_request};
use crate::{Error, LabelsRequest, SeriesRequest, Shard, Store};

mod labels;
mod series;
#[cfg(test)]
mod tests;

/// Where the data begin, Unix milliseconds: the start of a two-hour block.
pub const START_MS: i64 = 1_700_006_400_000;
/// The data end before this.
pub const END_MS: i64 = START_MS + 2 * 3_600_000;

/// What a store is to be filled with: raw float series of one source.
#[derive(Clone, Debug)]
pub struct Data {
    /// To be added to every series.
    pub external: Labels,
    /// Labels without the external ones, sorted, and samples: Unix milliseconds, value.
    pub series: Vec<(Labels, Vec<(i64, f64)>)>,
}

impl Data {
    /// Two hours of 24 series every 30 s, of which some are there only in part of the time.
    #[must_use]
    pub fn example() -> Self {
        let mut series = Vec::new();
        for (i, instance) in ["a:9090", "b:9090", "c:9090"].into_iter().enumerate() {
            let set = |name: &str, extra: &[(&str, &str)]| {
                let mut builder = LabelsBuilder::from_iter([("__name__", name), ("instance", instance)]);
                extra.iter().for_each(|(n, v)| {
                    builder.set(n, v);
                });
                builder.build()
            };
            let seed = i as i64;
            series.push((set("up", &[]), samples(seed, 0, 7200)));
            for code in ["200", "404", "500"] {
                let extra = [("code", code), ("zone", if i == 0 { "x" } else { "y" })];
                series.push((set("http_requests_total", &extra), samples(seed, 0, 7200)));
            }
            // Two pods, one after the other; without the pod they are one series.
            series.push((set("memory_bytes", &[("pod", "old")]), samples(seed, 0, 3000)));
            series.push((set("memory_bytes", &[("pod", "new")]), samples(seed, 3600, 7200)));
            series.push((set("métrique", &[("étage", "4ᵉ"), ("path", "/a\\b\n")]), samples(seed, 1800, 5400)));
            series.push((set("short_lived", &[]), samples(seed, 6000, 6090)));
        }
        series.sort_by(|a, b| a.0.cmp(&b.0));
        Self { external: Labels::from_pairs([("cluster", "eu"), ("replica", "a")]), series }
    }

    /// The complete labels of each series, sorted.
    fn complete(&self, without: &[&str]) -> Vec<(Labels, Vec<(i64, f64)>)> {
        let mut all: Vec<(Labels, Vec<(i64, f64)>)> = Vec::new();
        for (labels, samples) in &self.series {
            let mut builder = LabelsBuilder::from_iter(labels);
            self.external.iter().for_each(|(n, v)| {
                builder.set(n, v);
            });
            builder.retain(|name| !without.contains(&name));
            let labels = builder.build();
            match all.iter_mut().find(|(l, _)| *l == labels) {
                Some((_, list)) => list.extend(samples),
                None => all.push((labels, samples.clone())),
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.iter_mut().for_each(|(_, list)| list.sort_by_key(|s| s.0));
        all
    }
}

/// Every 30 s between two seconds after the start, at an offset of its own.
fn samples(seed: i64, from: i64, to: i64) -> Vec<(i64, f64)> {
    let times = (from..to).step_by(30).map(|s| START_MS + s * 1000 + seed * 1234 % 30_000);
    times.enumerate().map(|(i, t)| (t, i as f64 * 1.5 + seed as f64)).collect()
}

/// A series as a store gives it: labels, each chunk's range, all samples.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    labels: Labels,
    chunks: Vec<TimeRange>,
    samples: Vec<(i64, f64)>,
}

/// Runs the suite over stores made by `make`, each filled with what it is given.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run<F, Fut>(make: F)
where
    F: Fn(Data) -> Fut,
    Fut: Future<Output = Arc<dyn Store>>,
{
    let data = Data::example();
    let store = make(data.clone()).await;
    info(&*store, &data);
    series::selects_by_matchers_and_time(&*store, &data).await;
    series::gives_labels_alone(&*store, &data).await;
    series::removes_labels_and_merges(&*store, &data).await;
    series::limits_and_shards(&*store, &data).await;
    series::stops_and_gives_back(&*store).await;
    labels::lists_names_and_values(&*store, &data).await;
}

fn info(store: &dyn Store, data: &Data) {
    let info = store.info();
    assert!(info.extents.iter().any(|e| e.labels == data.external), "info names the external labels: {info:?}");
    let range = info.time_range().expect("a filled store has a range");
    assert!(range.min <= START_MS && range.max >= START_MS + 7_170_000, "info covers the data: {range:?}");
}

fn everything() -> SeriesRequest {
    SeriesRequest::new(TimeRange::new(START_MS, END_MS - 1), vec![matcher(MatchOp::NotEqual, "__name__", "")])
}

fn matcher(op: MatchOp, name: &str, value: &str) -> Matcher {
    Matcher::new(op, name, value).expect("a valid matcher")
}

/// Asks, checks what holds for every answer, and decodes.
async fn ask(store: &dyn Store, request: SeriesRequest) -> Vec<Found> {
    let cx = Context::inline(END_MS);
    let (list, missing) = batches(store.series(&cx, request.clone())).await.expect("the request succeeds");
    assert_eq!(missing, [], "nothing is missing");
    let mut all: Vec<Found> = Vec::new();
    for batch in &list {
        assert!(!batch.is_empty(), "no empty batches");
        for i in 0..batch.len() {
            let labels = batch.labels_of(i).to_labels();
            assert!(
                all.last().is_none_or(|l| l.labels < labels),
                "series are sorted and unique: {labels} in {request:?}"
            );
            let chunks = batch.chunks_of(i);
            assert!(chunks.clone().is_sorted_by_key(|c| c.min_time), "chunks ascend: {labels}");
            let mut samples = Vec::new();
            for c in chunks.clone() {
                let mut columns = Columns::new();
                chunk::decode(c.encoding, c.payload(), &mut columns).expect("chunks decode");
                let range = c.range();
                assert!(range.overlaps(request.range), "chunk {range:?} of {labels} is outside {:?}", request.range);
                assert_eq!(columns.t.first(), Some(&c.min_time), "a chunk begins when it says");
                assert_eq!(columns.t.last(), Some(&c.max_time), "a chunk ends when it says");
                samples.extend(columns.t.into_iter().zip(columns.v));
            }
            samples.sort_by_key(|s| s.0);
            samples.dedup();
            let chunks = chunks.map(|c| c.range()).collect();
            all.push(Found { labels, chunks, samples });
        }
    }
    drop(list);
    assert_eq!(cx.memory().used(), 0, "all memory is given back");
    all
}
