//! What a source has scraped and no block holds yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use block::EncodedChunk;
use block::chunk::{SAMPLES_PER_CHUNK, encode_floats};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use model::{Labels, LabelsBuilder, Matcher, TimeRange};
use parking_lot::RwLock;
use request::Context;
use store::merge::{MergeOptions, merge_batches};
use store::{
    About, BatchBuilder, Extent, Frame, LabelsRequest, Names, Result, SeriesBatch, SeriesRequest, Store, StoreInfo,
    StoreKind,
};

use super::DemoSeries;

/// The newest samples of one source, in memory, as a store.
#[derive(Debug)]
pub(crate) struct Head {
    name: String,
    external: Labels,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    /// Samples are from here …
    from: i64,
    /// … until before here.
    to: i64,
    /// By labels without the external ones: times and values.
    series: BTreeMap<Labels, (Vec<i64>, Vec<f64>)>,
}

impl Head {
    /// An empty head that begins at `from`.
    pub(crate) fn new(name: &str, external: Labels, from: i64) -> Self {
        let state = State { from, to: from, series: BTreeMap::new() };
        Self { name: name.to_owned(), external, state: RwLock::new(state) }
    }

    /// Samples are there until before this instant.
    pub(crate) fn end(&self) -> i64 {
        self.state.read().to
    }

    /// Appends what was scraped from [`end`](Self::end) until before `to`.
    pub(crate) fn append(&self, to: i64, scraped: Vec<DemoSeries>) {
        let mut state = self.state.write();
        for DemoSeries { labels, t, v } in scraped {
            let (times, values) = state.series.entry(labels).or_default();
            times.extend(t);
            values.extend(v);
        }
        state.to = to;
    }

    /// The samples in `from..to`, for a block.
    pub(crate) fn window(&self, from: i64, to: i64) -> Vec<DemoSeries> {
        let state = self.state.read();
        let cut = state.series.iter().map(|(labels, (t, v))| {
            let (a, b) = (t.partition_point(|&x| x < from), t.partition_point(|&x| x < to));
            DemoSeries { labels: labels.clone(), t: t[a..b].to_vec(), v: v[a..b].to_vec() }
        });
        cut.filter(|s| !s.t.is_empty()).collect()
    }

    /// Drops samples before `from`.
    pub(crate) fn forget(&self, from: i64) {
        let mut state = self.state.write();
        state.from = state.from.max(from);
        state.series.retain(|_, (t, v)| {
            let n = t.partition_point(|&x| x < from);
            t.drain(..n);
            v.drain(..n);
            !t.is_empty()
        });
    }

    /// The series that match and have samples in the range: final labels, in their order, and chunks that
    /// overlap. Series that fall together without `without` are still apart.
    fn select(&self, range: TimeRange, matchers: &[Matcher], without: &[String]) -> Vec<(Labels, Vec<EncodedChunk>)> {
        let state = self.state.read();
        let mut found = Vec::new();
        for (labels, (t, v)) in &state.series {
            let mut complete = LabelsBuilder::from_iter(labels);
            for (name, value) in &self.external {
                complete.set(name, value);
            }
            let complete = complete.build();
            if !matchers.iter().all(|m| m.matches(complete.get(&m.name).unwrap_or(""))) {
                continue;
            }
            let mut chunks = encode_floats(t, v, SAMPLES_PER_CHUNK);
            chunks.retain(|c| range.overlaps(TimeRange::new(c.min_time, c.max_time)));
            if chunks.is_empty() {
                continue;
            }
            let mut kept = LabelsBuilder::from_iter(&complete);
            kept.retain(|name| !without.iter().any(|w| w == name));
            found.push((kept.build(), chunks));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn names(&self, request: &LabelsRequest, list: impl Fn(&Labels) -> Vec<String>) -> Names {
        let found = self.select(request.range, &request.matchers, &request.without_replica_labels);
        let names: BTreeSet<_> = found.iter().flat_map(|(labels, _)| list(labels)).collect();
        let limit = if request.limit == 0 { usize::MAX } else { usize::try_from(request.limit).unwrap_or(usize::MAX) };
        Names { names: names.into_iter().take(limit).collect(), ..Names::default() }
    }
}

#[async_trait]
impl Store for Head {
    fn info(&self) -> Arc<StoreInfo> {
        let state = self.state.read();
        let range = TimeRange::new(state.from, state.to - 1);
        let extents = if range.is_empty() { vec![] } else { vec![Extent { labels: self.external.clone(), range }] };
        Arc::new(StoreInfo {
            name: self.name.clone(),
            kind: StoreKind::Sidecar,
            extents,
            supports_sharding: true,
            supports_without_replica_labels: true,
        })
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let mut found = self.select(request.range, &request.matchers, &request.without_replica_labels);
        let mut scratch = Vec::new();
        found.retain(|(labels, _)| request.shard.as_ref().is_none_or(|s| s.holds(labels, &mut scratch)));
        // The merge puts series together that are equal now, and cuts batches.
        let sources = found.chunks(1).map(|one| vec![batch(one, request.skip_chunks)]).collect();
        let options =
            MergeOptions { batch_series: request.batch_size.max(1), limit: request.limit, ..MergeOptions::default() };
        let cx = cx.clone();
        let frames = merge_batches(sources, options).map(move |mut batch| {
            cx.check()?;
            batch.cover(cx.memory().lease(batch.payload_bytes())?);
            Ok(Frame::Batch(batch))
        });
        stream::iter(frames).boxed()
    }

    async fn label_names(&self, _: &Context, request: LabelsRequest) -> Result<Names> {
        Ok(self.names(&request, |labels| labels.iter().map(|(name, _)| name.to_owned()).collect()))
    }

    async fn label_values(&self, _: &Context, request: LabelsRequest) -> Result<Names> {
        Ok(self.names(&request, |labels| labels.get(&request.label).map(str::to_owned).into_iter().collect()))
    }
}

fn batch(series: &[(Labels, Vec<EncodedChunk>)], skip_chunks: bool) -> SeriesBatch {
    let mut batch = BatchBuilder::default();
    for (labels, chunks) in series {
        for chunk in chunks.iter().filter(|_| !skip_chunks) {
            let range = TimeRange::new(chunk.min_time, chunk.max_time);
            batch.chunk(About::raw(range, chunk.encoding), Bytes::from(chunk.bytes.clone()));
        }
        batch.series(labels);
    }
    batch.finish()
}
