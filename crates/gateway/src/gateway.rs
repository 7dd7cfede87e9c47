use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bucket::{Bucket, Discovery, MetaSync, SyncMetrics, SyncOptions};
use daemon::flags::TimeOrDuration;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use model::TimeRange;
use parking_lot::RwLock;
use request::{Context, MemoryBudget, Took};
use store::merge::{MergeOptions, merge_streams};
use store::{Frame, LabelsRequest, Names, Result, SeriesRequest, Store, StoreInfo, StoreKind, counted};

use crate::admit::ChunkPool;
use crate::block::Block;
use crate::catalog::Catalog;
use crate::cursor::BatchSize;
use crate::expanded::Expanded;
use crate::fetched::Fetched;
use crate::files::{FileSettings, Files};
use crate::metrics::Metrics;
use crate::parts::PartCache;
use crate::series::{BlockAsk, block_stream};

/// Series in a block's batch.
const BATCH_SERIES: usize = 512;
/// Chunk bytes that all blocks' batches of one request may fetch ahead together, and each of them; how many
/// of a block's are fetched side by side. A megabyte takes about as long on its way as its first byte.
const AHEAD_BYTES: u64 = 64 << 20;
const BATCH_BYTES: std::ops::RangeInclusive<u64> = (256 << 10)..=(1 << 20);
const BATCHES_AHEAD_MAX: u64 = 16;

/// Indexes whose ends are fetched side by side ahead of requests.
const PREPARED_AT_ONCE: usize = 8;

/// How often everything in the bucket is listed, where there is a bucket index.
const FULL_SYNC_INTERVAL: Duration = Duration::from_secs(3600);

/// How a gateway works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For people and in what is missing.
    pub name: String,
    /// Where indexes fetched from a remote bucket are kept; `None` keeps them in memory.
    pub data_dir: Option<PathBuf>,
    /// Bytes that indexes may take in `data_dir`; 0 is no limit.
    pub disk_bytes_max: u64,
    /// Bytes of memory that open indexes may take; and a quarter of them each selections and parts of
    /// indexes that are read by ranges.
    pub index_cache_bytes: u64,
    /// An index that is larger than this share of `disk_bytes_max`, or of `index_cache_bytes` where there is
    /// no room for it on disk, is read by ranges.
    pub whole_index_share: f64,
    /// Files that no request needed for so long are closed.
    pub idle: Duration,
    /// Nothing older is served, at any moment.
    pub min_time: TimeOrDuration,
    /// Nothing younger is served, at any moment.
    pub max_time: TimeOrDuration,
    pub sync: SyncOptions,
    /// Bytes that chunks fetched from a remote bucket may take in all requests together; 0 is no limit.
    pub chunk_pool_bytes: u64,
    /// Bytes of chunks that one request may fetch; 0 is no limit.
    pub fetched_bytes_max: u64,
}

impl Settings {
    fn range(&self, now_ms: i64) -> TimeRange {
        TimeRange::new(self.min_time.at(now_ms), self.max_time.at(now_ms))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "store".to_owned(),
            data_dir: None,
            disk_bytes_max: 0,
            index_cache_bytes: 250 << 20,
            whole_index_share: 0.1,
            idle: Duration::from_secs(300),
            min_time: TimeOrDuration::Time(i64::MIN),
            max_time: TimeOrDuration::Time(i64::MAX),
            sync: SyncOptions {
                discovery: Discovery::Index { full_every: FULL_SYNC_INTERVAL },
                ..SyncOptions::default()
            },
            chunk_pool_bytes: 2 << 30,
            fetched_bytes_max: 0,
        }
    }
}

/// Serves the blocks of a bucket. Knows none before the first [`sync`](Self::sync).
#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    name: Arc<str>,
    files: Arc<Files>,
    metas: MetaSync,
    state: RwLock<State>,
    pool: ChunkPool,
    expanded: Option<Expanded>,
    pub(crate) metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    catalog: Arc<Catalog>,
    info: Arc<StoreInfo>,
}

impl Gateway {
    #[must_use]
    pub fn new(bucket: Bucket, settings: Settings) -> Self {
        let memory = MemoryBudget::new(u64::MAX);
        let caches = IndexCaches { expanded: None, parts: PartCache::in_memory(settings.index_cache_bytes / 4) };
        Self::with_metrics(bucket, settings, SyncMetrics::default(), Metrics::default(), memory, caches)
    }

    pub(crate) fn with_metrics(
        bucket: Bucket,
        settings: Settings,
        sync: SyncMetrics,
        metrics: Metrics,
        memory: MemoryBudget,
        caches: IndexCaches,
    ) -> Self {
        let info = info(&settings, &Catalog::default(), TimeRange::ALL);
        let files = FileSettings {
            data_dir: settings.data_dir.clone(),
            disk_bytes_max: settings.disk_bytes_max,
            whole_share: settings.whole_index_share,
            parts: caches.parts,
            metrics: metrics.indexes.clone(),
            // What is cached leaves room for requests.
            cache_bytes: settings.index_cache_bytes.min(memory.limit() / 4),
            idle: settings.idle,
            memory,
        };
        Self {
            name: settings.name.as_str().into(),
            metas: metas(&bucket, &settings).with_metrics(sync),
            files: Arc::new(Files::new(bucket, files)),
            pool: ChunkPool::new(settings.chunk_pool_bytes),
            expanded: caches.expanded,
            state: RwLock::new(State { catalog: Arc::default(), info: Arc::new(info) }),
            settings,
            metrics,
        }
    }

    /// Looks at the bucket and serves what is there from now on. Requests under way go on with the blocks
    /// they began with. A block that cannot be read now stays if it was there before.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn sync(&self, now_ms: i64) -> bucket::Result<()> {
        let range = self.settings.range(now_ms);
        let snapshot = self.metas.sync(now_ms, range).await?;
        for broken in snapshot.corrupt.iter().chain(&snapshot.failed) {
            tracing::warn!(block = %broken.block, err = %broken.error, "cannot load a block");
            self.metrics.block_load_failures.inc();
        }
        let before = self.catalog();
        let kept = snapshot.failed.iter().filter_map(|broken| before.by_id.get(&broken.block).cloned());
        let current = snapshot.blocks.iter().map(|(&id, synced)| {
            let new = Block::new(id, synced);
            match before.by_id.get(&id) {
                Some(old) if old.is_same(&new) => Arc::clone(old),
                _ => Arc::new(new),
            }
        });
        let catalog = Catalog::new(current.chain(kept).collect::<Vec<_>>());
        let gone: Vec<_> = before.by_id.keys().filter(|id| !catalog.by_id.contains_key(id)).copied().collect();
        let unknown = self.files.copies().into_iter().filter(|id| !catalog.by_id.contains_key(id));
        let unknown: Vec<_> = unknown.filter(|id| !gone.contains(id)).collect();
        let added = catalog.by_id.keys().filter(|id| !before.by_id.contains_key(id)).count();
        self.metrics.synced(added, gone.len(), catalog.by_id.len(), now_ms);
        if added > 0 || !gone.is_empty() {
            tracing::info!(blocks = catalog.by_id.len(), added, dropped = gone.len(), "synced blocks");
        }
        let info = info(&self.settings, &catalog, range);
        *self.state.write() = State { catalog: Arc::new(catalog), info: Arc::new(info) };
        for id in gone.into_iter().chain(unknown) {
            self.files.forget(id).await;
        }
        Ok(())
    }

    /// Fetches the ends of indexes that are read by ranges and are not on disk yet, as long as there is room:
    /// so the first request need not. What cannot be read is left to it.
    pub(crate) async fn prepare(&self, cx: &Context) {
        let blocks: Vec<_> = self.catalog().by_id.values().cloned().collect();
        let fetched = Arc::new(Fetched::default());
        let fetches = stream::iter(blocks).map(|block| {
            let (cx, files, fetched) = (cx.clone(), Arc::clone(&self.files), Arc::clone(&fetched));
            async move {
                // The others may have taken the room.
                if files.lacks_ends(&block) { files.index(&cx, &block, &fetched).await.map(drop) } else { Ok(()) }
            }
        });
        let mut fetches = fetches.buffer_unordered(PREPARED_AT_ONCE);
        while let Some(fetch) = fetches.next().await {
            if let Err(e) = fetch {
                tracing::debug!(err = %e, "cannot read the ends of an index ahead of requests");
            }
        }
    }

    /// Whether something in the bucket was found to be other than at the last look, which is a reason to
    /// look again soon.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.metas.is_suspicious()
    }

    /// The metas of the blocks that are served, oldest first.
    #[must_use]
    pub fn blocks(&self) -> Vec<Arc<block::BlockMeta>> {
        let mut metas: Vec<_> = self.catalog().by_id.values().map(|b| Arc::clone(&b.meta)).collect();
        metas.sort_by_key(|m| (m.min_time, m.max_time, m.ulid));
        metas
    }

    /// The state of caches and blocks, for people.
    #[must_use]
    pub fn debug(&self) -> serde_json::Value {
        let catalog = self.catalog();
        let mut blocks: Vec<_> = catalog.by_id.values().collect();
        blocks.sort_by_key(|b| (b.meta.min_time, b.meta.max_time, b.id));
        let block = |b: &Arc<Block>| {
            let labels: std::collections::BTreeMap<_, _> = b.labels.iter().collect();
            serde_json::json!({
                "id": b.id.to_string(),
                "labels": labels,
                "min_time": b.meta.min_time,
                "max_time": b.meta.max_time,
                "resolution_ms": b.resolution_ms,
                "index_bytes": b.index_bytes,
                "chunk_bytes": b.segment_bytes.iter().sum::<u64>(),
                "open": self.files.is_open(b.id),
            })
        };
        serde_json::json!({
            "blocks": blocks.into_iter().map(block).collect::<Vec<_>>(),
            "indexes": self.files.debug(),
            "index_cache": self.expanded.as_ref().map(|e| debug_cache(e.cache())),
            "index_parts_cache": self.files.parts().map(|parts| debug_cache(parts.cache())),
            "chunk_pool": {"used_bytes": self.pool.used(), "max_bytes": self.settings.chunk_pool_bytes},
        })
    }

    /// The part of `range` that is served.
    pub(crate) fn served(&self, cx: &Context, range: TimeRange) -> TimeRange {
        range.intersection(self.settings.range(cx.now_ms()))
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.state.read().catalog)
    }

    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// The most that one request may fetch; 0 is no limit.
    pub(crate) fn fetched_bytes_max(&self) -> u64 {
        self.settings.fetched_bytes_max
    }

    pub(crate) fn store_name(&self) -> &Arc<str> {
        &self.name
    }
}

/// The caches beside the indexes on this machine.
#[derive(Debug, Default)]
pub(crate) struct IndexCaches {
    /// Selections.
    pub(crate) expanded: Option<Expanded>,
    /// Parts of indexes that are read by ranges.
    pub(crate) parts: Option<PartCache>,
}

fn debug_cache(cache: &cache::Cache) -> serde_json::Value {
    let (requests, hits, failures) = cache.counts();
    let (items, bytes) = cache.held().unzip();
    serde_json::json!({
        "kind": cache.kind(),
        "requests": requests,
        "hits": hits,
        "failures": failures,
        "items": items,
        "bytes": bytes,
    })
}

fn metas(bucket: &Bucket, settings: &Settings) -> MetaSync {
    let copy = settings.data_dir.as_ref().map(|dir| dir.join("bucket-index"));
    MetaSync::new(bucket.clone(), SyncOptions { copy, ..settings.sync.clone() })
}

fn info(settings: &Settings, catalog: &Catalog, range: TimeRange) -> StoreInfo {
    StoreInfo {
        name: settings.name.clone(),
        kind: StoreKind::Store,
        extents: catalog.extents(range),
        supports_sharding: true,
        supports_without_replica_labels: true,
    }
}

#[async_trait]
impl Store for Gateway {
    fn info(&self) -> Arc<StoreInfo> {
        Arc::clone(&self.state.read().info)
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let range = self.served(cx, request.range);
        let mut blocks = self.catalog().select(&request.matchers, range, request.max_resolution_ms);
        blocks.retain(|(block, _)| block.has(&request.block_matchers));
        self.metrics.blocks_queried.observe(blocks.len() as f64);
        if blocks.is_empty() {
            return stream::empty().boxed();
        }
        for (block, _) in &blocks {
            cx.coverage().read_resolution(block.resolution_ms);
        }
        let queried = blocks.len() as u64;
        let ids = blocks.iter().map(|(block, _)| block.id.to_string()).collect();
        let request = Arc::new(SeriesRequest { range, ..request });
        let batch = BatchSize {
            series: BATCH_SERIES,
            bytes: (AHEAD_BYTES / queried).clamp(*BATCH_BYTES.start(), *BATCH_BYTES.end()),
        };
        let ahead = (AHEAD_BYTES / queried / batch.bytes).clamp(1, BATCHES_AHEAD_MAX) as usize;
        let fetched = Arc::new(Fetched::within(self.fetched_bytes_max()));
        let of_block = |(block, matchers): (Arc<Block>, _)| {
            let cx = if cx.tally().is_some() { cx.part(&block.id.to_string()) } else { cx.clone() };
            let ask = BlockAsk {
                cx: cx.clone(),
                files: Arc::clone(&self.files),
                block,
                matchers,
                request: Arc::clone(&request),
                batch,
                ahead,
                store_name: Arc::clone(&self.name),
                fetched: Arc::clone(&fetched),
                pool: self.pool.clone(),
                expanded: self.expanded.clone(),
            };
            counted(&cx, block_stream(ask))
        };
        let streams: Vec<_> = blocks.into_iter().map(of_block).collect();
        let options = MergeOptions {
            batch_series: request.batch_size.max(BATCH_SERIES),
            limit: request.limit,
            ..MergeOptions::default()
        };
        let whole = cx.tally().cloned();
        let stats = stream::once(async move {
            let stats = fetched.stats(ids);
            if let Some(tally) = whole {
                let (fetched_bytes, requests) = (stats.bytes_fetched(), stats.requests());
                tally.add(Took { fetched_bytes, requests, ..Took::default() });
            }
            Ok(Frame::Stats(stats))
        });
        merge_streams(streams, options).chain(stats).boxed()
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.names(cx, request).await
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.values(cx, request).await
    }
}
