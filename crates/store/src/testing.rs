//! A store in memory, for tests of whatever works over stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use block::EncodedChunk;
use block::chunk::encode_floats;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use model::{Labels, LabelsBuilder, Matcher, TimeRange};
use request::{Context, Missing};

use crate::conformance::{Data, END_MS, START_MS};
use crate::{
    About, BatchBuilder, Chunk, Extent, Frame, LabelsRequest, Names, PartialResponse, Result, SeriesBatch,
    SeriesRequest, Store, StoreInfo, StoreKind,
};

/// Raw series in memory.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    info: Arc<StoreInfo>,
    series: BTreeMap<Labels, Vec<(EncodedChunk, Bytes)>>,
}

impl MemoryStore {
    /// An empty store. Extents are those given to [`extent`](Self::extent) only.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let info = StoreInfo {
            name: name.to_owned(),
            kind: StoreKind::Store,
            extents: Vec::new(),
            supports_sharding: true,
            supports_without_replica_labels: true,
        };
        Self { info: Arc::new(info), series: BTreeMap::new() }
    }

    /// Announces external labels and the range in which series with them exist.
    #[must_use]
    pub fn extent(mut self, labels: Labels, range: TimeRange) -> Self {
        Arc::make_mut(&mut self.info).extents.push(Extent { labels, range });
        self
    }

    /// A store filled with the data of the [conformance suite](crate::conformance), in chunks of 120.
    #[must_use]
    pub fn filled(name: &str, data: &Data) -> Self {
        let range = TimeRange::new(START_MS, END_MS - 1);
        let mut store = Self::new(name).extent(data.external.clone(), range);
        for (labels, samples) in &data.series {
            let mut builder = LabelsBuilder::from_iter(labels);
            data.external.iter().for_each(|(n, v)| {
                builder.set(n, v);
            });
            let (t, v): (Vec<_>, Vec<_>) = samples.iter().copied().unzip();
            store.add(builder.build(), encode_floats(&t, &v, 120));
        }
        store
    }

    /// Adds chunks to a series. The labels are complete, external ones included.
    pub fn add(&mut self, labels: Labels, chunks: impl IntoIterator<Item = EncodedChunk>) {
        let list = self.series.entry(labels).or_default();
        list.extend(chunks.into_iter().map(|c| {
            let bytes = Bytes::from(c.bytes.clone());
            (c, bytes)
        }));
        list.sort_by_key(|(c, _)| (c.min_time, c.max_time));
    }

    /// The series that match, with the chunks that overlap, by labels without `without`.
    fn matching(
        &self,
        range: TimeRange,
        matchers: &[Matcher],
        without: &[String],
    ) -> BTreeMap<Labels, Vec<(EncodedChunk, Bytes)>> {
        let mut found = BTreeMap::<Labels, Vec<_>>::new();
        for (labels, chunks) in &self.series {
            if !matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or(""))) {
                continue;
            }
            let inside = |c: &EncodedChunk| range.overlaps(TimeRange::new(c.min_time, c.max_time));
            let chunks: Vec<_> = chunks.iter().filter(|(c, _)| inside(c)).cloned().collect();
            if chunks.is_empty() {
                continue;
            }
            let mut builder = LabelsBuilder::from_iter(labels);
            builder.retain(|name| !without.iter().any(|w| w == name));
            let list = found.entry(builder.build()).or_default();
            for chunk in chunks {
                if !list.contains(&chunk) {
                    list.push(chunk);
                }
            }
            list.sort_by_key(|(c, _)| (c.min_time, c.max_time));
        }
        found
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn info(&self) -> Arc<StoreInfo> {
        self.info.clone()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let mut scratch = Vec::new();
        let found: Vec<_> = self
            .matching(request.range, &request.matchers, &request.without_replica_labels)
            .into_iter()
            .filter(|(labels, _)| request.shard.as_ref().is_none_or(|s| s.holds(labels, &mut scratch)))
            .take(if request.limit == 0 { usize::MAX } else { usize::try_from(request.limit).unwrap_or(usize::MAX) })
            .collect();
        let parts: Vec<Vec<_>> = found.chunks(request.batch_size.max(1)).map(<[_]>::to_vec).collect();
        let cx = cx.clone();
        let frames = parts.into_iter().map(move |part| {
            cx.check()?;
            let mut batch = batch(&part, request.skip_chunks);
            batch.cover(cx.memory().lease(batch.payload_bytes())?);
            Ok(Frame::Batch(batch))
        });
        stream::iter(frames).boxed()
    }

    async fn label_names(&self, _: &Context, request: LabelsRequest) -> Result<Names> {
        let found = self.matching(request.range, &request.matchers, &request.without_replica_labels);
        let names = found.keys().flat_map(|l| l.iter().map(|(n, _)| n.to_owned()));
        Ok(names_of(names.collect(), request.limit))
    }

    async fn label_values(&self, _: &Context, request: LabelsRequest) -> Result<Names> {
        let found = self.matching(request.range, &request.matchers, &request.without_replica_labels);
        let values = found.keys().filter_map(|l| l.get(&request.label).map(ToOwned::to_owned));
        Ok(names_of(values.collect(), request.limit))
    }
}

fn names_of(set: BTreeSet<String>, limit: u64) -> Names {
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    Names { names: set.into_iter().take(limit).collect(), ..Names::default() }
}

fn batch(series: &[(Labels, Vec<(EncodedChunk, Bytes)>)], skip_chunks: bool) -> SeriesBatch {
    let mut batch = BatchBuilder::default();
    for (labels, chunks) in series {
        for (chunk, bytes) in chunks.iter().filter(|_| !skip_chunks) {
            let range = TimeRange::new(chunk.min_time, chunk.max_time);
            batch.chunk(About::raw(range, chunk.encoding), bytes.clone());
        }
        batch.series(labels);
    }
    batch.finish()
}

/// A store that fails or hangs, whatever is asked.
#[derive(Debug)]
pub struct ScriptedStore {
    pub info: Arc<StoreInfo>,
    pub then: Then,
}

/// How a [`ScriptedStore`] behaves.
#[derive(Clone, Debug)]
pub enum Then {
    /// Every call fails.
    Fail(crate::Error),
    /// Nothing ever comes.
    Hang,
}

#[async_trait]
impl Store for ScriptedStore {
    fn info(&self) -> Arc<StoreInfo> {
        self.info.clone()
    }

    fn series(&self, _: &Context, _: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        match &self.then {
            Then::Fail(e) => stream::iter([Err(e.clone())]).boxed(),
            Then::Hang => stream::pending().boxed(),
        }
    }

    async fn label_names(&self, _: &Context, _: LabelsRequest) -> Result<Names> {
        match &self.then {
            Then::Fail(e) => Err(e.clone()),
            Then::Hang => futures::future::pending().await,
        }
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.label_names(cx, request).await
    }
}

/// All batches of a stream, and what was missing.
///
/// # Errors
/// The stream's error.
pub async fn batches(mut stream: BoxStream<'static, Result<Frame>>) -> Result<(Vec<SeriesBatch>, Vec<Missing>)> {
    let (mut list, mut missing) = (Vec::new(), Vec::new());
    while let Some(frame) = stream.next().await {
        match frame? {
            Frame::Batch(batch) => list.push(batch),
            Frame::Missing(part) => missing.push(part),
            Frame::Stats(_) => {}
        }
    }
    Ok((list, missing))
}

/// All series of a stream with their chunks' times and payloads, and what was missing.
///
/// # Errors
/// The stream's error.
pub async fn collect(stream: BoxStream<'static, Result<Frame>>) -> Result<Collected> {
    let (list, missing) = batches(stream).await?;
    let mut series = Vec::new();
    for batch in &list {
        for i in 0..batch.len() {
            let chunk = |c: Chunk<'_>| (c.min_time, c.max_time, c.replica, c.payload().to_vec());
            series.push((batch.labels_of(i).to_labels(), batch.chunks_of(i).map(chunk).collect()));
        }
    }
    Ok(Collected { series, missing })
}

/// A chunk of a [`Collected`] series: first time, last time, replica, payload.
pub type CollectedChunk = (i64, i64, u32, Vec<u8>);

/// What [`collect`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    pub series: Vec<(Labels, Vec<CollectedChunk>)>,
    pub missing: Vec<Missing>,
}

/// A request for labels of everything that matches.
#[must_use]
pub fn labels_request(label: &str, matchers: Vec<Matcher>) -> LabelsRequest {
    LabelsRequest {
        label: label.to_owned(),
        range: TimeRange::ALL,
        matchers,
        without_replica_labels: Vec::new(),
        limit: 0,
        partial_response: PartialResponse::Warn,
        block_matchers: Vec::new(),
    }
}

/// All label sets over the names `b`, `d`, `f` and `h` and two values, sorted: every pair of prefix and extension,
/// with room for names between them.
#[must_use]
pub fn prefixes_and_extensions() -> BTreeSet<Labels> {
    let values = |code: usize| (0..4).map(move |i| ["", "1", "2"][code / 3_usize.pow(i) % 3]);
    (1..3_usize.pow(4)).map(|code| Labels::from_pairs(["b", "d", "f", "h"].into_iter().zip(values(code)))).collect()
}
