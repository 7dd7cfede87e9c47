use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use block::index::{RangedIndex, SPARSE_FILE};
use block::{ChunkReader, Corrupt, IndexReader, Ulid};
use bucket::{BlockFile, Bucket};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use moka::future::Cache;
use request::{Context, MemoryAccount, MemoryBudget, MemoryLease};
use store::Error;
use tokio::io::AsyncWriteExt;

use crate::block::Block;
use crate::disk::Disk;
use crate::fetched::{Data, Fetched};
use crate::index::Index;
use crate::maps::Maps;
use crate::metrics::IndexMetrics;
use crate::parts::{self, Got, PartCache};
use crate::ranged::{Lack, Parts, Ranged};

/// Opens blocks' files and keeps them open for a while: memory-mapped where they lie on this machine,
/// which includes copies of indexes below the data directory.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) bucket: Bucket,
    /// Where fetched indexes and sparse headers are kept; `None` keeps them in memory.
    disk: Option<Disk>,
    /// Pays for indexes in memory.
    memory: MemoryAccount,
    /// Bytes that open indexes may take.
    cache_bytes: u64,
    /// See [`FileSettings::whole_share`].
    whole_share: f64,
    parts: Option<PartCache>,
    metrics: IndexMetrics,
    indexes: Cache<Ulid, Arc<Opened>>,
    segments: Cache<Ulid, Arc<ChunkReader>>,
    maps: Arc<Maps>,
}

/// An index is fetched in parts of so many bytes, some side by side.
const PART_BYTES: u64 = 16 << 20;
const PARTS_AHEAD: usize = 4;

/// What the files are opened with.
#[derive(Debug)]
pub(crate) struct FileSettings {
    /// Where fetched indexes are kept; `None` keeps them in memory.
    pub(crate) data_dir: Option<PathBuf>,
    /// Bytes that they may take there; 0 is no limit.
    pub(crate) disk_bytes_max: u64,
    /// An index that takes more of what there is, on disk or in memory, is read by ranges.
    pub(crate) whole_share: f64,
    /// Keeps what was read of those.
    pub(crate) parts: Option<PartCache>,
    pub(crate) metrics: IndexMetrics,
    /// Bytes of memory that open indexes may take.
    pub(crate) cache_bytes: u64,
    /// Files that no request needed for so long are closed.
    pub(crate) idle: Duration,
    /// The process's memory.
    pub(crate) memory: MemoryBudget,
}

/// An open index.
#[derive(Debug)]
struct Opened {
    held: Held,
    /// On the heap, about.
    bytes: u64,
    _memory: Option<MemoryLease>,
}

#[derive(Debug)]
enum Held {
    Whole(Arc<IndexReader>),
    /// The rest is read by ranges.
    Ends(Arc<RangedIndex>),
}

impl Opened {
    /// Of a whole index.
    fn file_bytes(&self) -> u64 {
        match &self.held {
            Held::Whole(index) => index.bytes().len() as u64,
            Held::Ends(index) => index.file_len(),
        }
    }
}

/// The ends of an index take about one part in so many of it.
const ENDS_PART: u64 = 4;

/// Maps are cheap but not free.
const MAPPED_BLOCKS_MAX: u64 = 4096;

impl Files {
    pub(crate) fn new(bucket: Bucket, settings: FileSettings) -> Self {
        let FileSettings { data_dir, disk_bytes_max, whole_share, parts, metrics, cache_bytes, idle, memory } =
            settings;
        let weight = move |_: &Ulid, index: &Arc<Opened>| u32::try_from(index.bytes).unwrap_or(u32::MAX);
        Self {
            bucket,
            disk: data_dir.map(|dir| Disk::open(&dir, disk_bytes_max)),
            memory: memory.account(u64::MAX),
            cache_bytes,
            whole_share,
            parts,
            metrics,
            indexes: Cache::builder().max_capacity(cache_bytes).weigher(weight).time_to_idle(idle).build(),
            segments: Cache::builder().max_capacity(MAPPED_BLOCKS_MAX).time_to_idle(idle).build(),
            maps: Arc::default(),
        }
    }

    /// Whether the block's index is open.
    pub(crate) fn is_open(&self, block: Ulid) -> bool {
        self.indexes.contains_key(&block)
    }

    /// What is open, for people.
    pub(crate) fn debug(&self) -> serde_json::Value {
        serde_json::json!({
            "open": self.indexes.entry_count(),
            "held_bytes": self.indexes.weighted_size(),
            "mapped_files": self.maps.count(),
            "disk": self.disk.as_ref().map(Disk::debug),
        })
    }

    /// What was read of indexes by ranges, where it is kept.
    pub(crate) fn parts(&self) -> Option<&PartCache> {
        self.parts.as_ref()
    }

    /// The files that are mapped.
    pub(crate) fn maps(&self) -> &Arc<Maps> {
        &self.maps
    }

    /// The block's index as one request reads it.
    pub(crate) async fn index(
        self: &Arc<Self>,
        cx: &Context,
        block: &Arc<Block>,
        fetched: &Arc<Fetched>,
    ) -> Result<Index, Error> {
        let opened = loop {
            match self.indexes.try_get_with(block.id, self.open_index(cx, block)).await {
                // Another request began to open it, and was cancelled.
                Err(e) if matches!(*e, Error::Interrupted(_)) => cx.check()?,
                opened => break opened,
            }
        };
        if let Some(disk) = &self.disk {
            disk.used(block.id);
        }
        match &opened.map_err(|e| (*e).clone())?.held {
            Held::Whole(index) => Ok(Index::Whole(Arc::clone(index))),
            Held::Ends(index) => Ok(Index::Ranged(Box::new(Ranged::new(cx, self, block, fetched, Arc::clone(index))))),
        }
    }

    /// Ranges of the block's index, where `data` lies: from the cache, and what it lacks in one round from the
    /// bucket.
    pub(crate) async fn index_parts(
        &self,
        cx: &Context,
        block: &Block,
        ranges: &[Range<u64>],
        fetched: &Fetched,
        data: Data,
    ) -> Result<Vec<Bytes>, Error> {
        let (read, got) = match &self.parts {
            Some(parts) => parts.read(&self.bucket, block, ranges, fetched).await?,
            None => {
                let read = parts::read(&self.bucket, block, ranges, fetched).await?;
                let bytes = read.iter().map(|b| b.len() as u64).sum();
                (read, Got { ranges: ranges.len() as u64, bytes })
            }
        };
        if got.bytes > 0 {
            fetched.add(cx, data, got.ranges, got.bytes);
            self.metrics.fetched_bytes.inc_by(got.bytes);
        }
        Ok(read)
    }

    /// The block's segment files where they can be mapped; `None` for a remote bucket.
    pub(crate) async fn segments(&self, block: &Block) -> Result<Option<Arc<ChunkReader>>, Error> {
        let Some(dir) = self.bucket.local_block(block.id) else { return Ok(None) };
        let open = async {
            ChunkReader::open_with(&dir, |path| self.maps.open(path)).map(Arc::new).map_err(|e| named(e, block.id))
        };
        let opened = self.segments.try_get_with(block.id, open).await;
        opened.map(Some).map_err(|e| Error::Corrupt((*e).clone()))
    }

    /// What is open or kept of a block turned out to be damaged: it is fetched again when it is next needed.
    pub(crate) async fn distrust(&self, block: Ulid) {
        if let Some(parts) = &self.parts {
            parts.distrust(block);
        }
        self.close(block).await;
    }

    /// The block is gone, and with it all that is open or kept of it.
    pub(crate) async fn forget(&self, block: Ulid) {
        if let Some(parts) = &self.parts {
            parts.removed(block);
        }
        self.close(block).await;
    }

    async fn close(&self, block: Ulid) {
        self.indexes.invalidate(&block).await;
        self.segments.invalidate(&block).await;
        if let Some(dir) = self.dir(block) {
            // What does not exist cannot be removed; what is left is only found again.
            if let Some(disk) = self.disk.as_ref().filter(|_| !self.is_local(block)) {
                disk.remove_files(block);
            }
            if let Some(disk) = &self.disk {
                disk.removed(block);
            }
            let _gone = std::fs::remove_file(dir.join(SPARSE_FILE));
            let _empty = std::fs::remove_dir(dir);
        }
    }

    /// The blocks of which something is kept on disk.
    pub(crate) fn copies(&self) -> Vec<Ulid> {
        let Some(entries) = self.disk.as_ref().and_then(|disk| std::fs::read_dir(disk.dir()).ok()) else {
            return Vec::new();
        };
        entries.filter_map(|entry| Ulid::from_string(entry.ok()?.file_name().to_str()?).ok()).collect()
    }

    async fn open_index(&self, cx: &Context, block: &Block) -> Result<Arc<Opened>, Error> {
        let corrupt = |e| Error::Corrupt(named(e, block.id));
        if let Some(path) = self.bucket.local_path(block.id, BlockFile::Index) {
            return self.open_mapped(&path, block.id).map_err(corrupt);
        }
        if let Some(opened) = self.open_copy(cx, block).await? {
            return Ok(opened);
        }
        if self.is_small_for_memory(block) {
            match self.open_fetched(block).await {
                Err(Error::Exhausted(_)) if block.index_bytes > 0 => {}
                other => return other,
            }
        }
        self.open_ends(cx, block).await
    }

    /// Whether the index is kept whole on disk, if there is room.
    fn is_small_for_disk(&self, block: &Block) -> bool {
        let max = self.disk.as_ref().map_or(0, Disk::bytes_max);
        block.index_bytes > 0 && (max == 0 && self.whole_share > 0.0 || self.is_share_of(block, max))
    }

    /// Whether the index is kept whole in memory. One of unknown length can be read in no other way.
    fn is_small_for_memory(&self, block: &Block) -> bool {
        block.index_bytes == 0 || self.is_share_of(block, self.cache_bytes)
    }

    fn is_share_of(&self, block: &Block, bytes: u64) -> bool {
        block.index_bytes as f64 <= self.whole_share * bytes as f64
    }

    /// The copy of the whole index on disk: found there, or fetched where there is room for it.
    async fn open_copy(&self, cx: &Context, block: &Block) -> Result<Option<Arc<Opened>>, Error> {
        let Some(disk) = &self.disk else { return Ok(None) };
        let copy = disk.copy_path(block.id);
        if let Ok(opened) = self.open_mapped(&copy, block.id)
            && opened.file_bytes() == block.index_bytes
        {
            return Ok(Some(opened));
        }
        if !self.is_small_for_disk(block) || !self.make_room(disk, block, block.index_bytes).await {
            return Ok(None);
        }
        let _room = disk.unless_added(block.id);
        cx.check()?;
        match self.keep(block, &copy).await {
            Ok(()) => {
                disk.added(block.id, block.index_bytes);
                self.open_mapped(&copy, block.id).map(Some).map_err(|e| Error::Corrupt(named(e, block.id)))
            }
            Err(NotKept::Fetch(e)) => Err(e),
            Err(NotKept::Disk(e)) => {
                tracing::warn!(block = %block.id, path = %copy.display(), err = %e, "cannot keep a copy of the index");
                Ok(None)
            }
        }
    }

    /// Takes room on disk and removes what has to go for it.
    async fn make_room(&self, disk: &Disk, block: &Block, bytes: u64) -> bool {
        let Some(gone) = disk.make_room(block.id, bytes) else { return false };
        for evicted in gone {
            self.indexes.invalidate(&evicted).await;
            disk.remove_files(evicted);
        }
        true
    }

    /// Fetches an index into memory.
    async fn open_fetched(&self, block: &Block) -> Result<Arc<Opened>, Error> {
        let memory = self.memory.lease(block.index_bytes).map_err(|e| {
            Error::Exhausted(format!("the index of block {} has {} bytes: {e}", block.id, block.index_bytes))
        })?;
        let bytes = self.bucket.read(block.id, BlockFile::Index).await.map_err(|e| unavailable(&e))?;
        let held = bytes.len() as u64 / 64 * 65 + 4096;
        let index = IndexReader::new(bytes).map_err(|e| Error::Corrupt(named(e, block.id)))?;
        self.metrics.opened("memory");
        Ok(Arc::new(Opened { held: Held::Whole(Arc::new(index)), bytes: held, _memory: Some(memory) }))
    }

    /// The ends of an index that is read by ranges: found on disk, or fetched, and kept there if there is room.
    async fn open_ends(&self, cx: &Context, block: &Block) -> Result<Arc<Opened>, Error> {
        let corrupt = |e| Error::Corrupt(named(e, block.id));
        let len = block.index_bytes;
        let path = self.disk.as_ref().map(|disk| disk.ends_path(block.id));
        if let Some(bytes) = path.as_ref().filter(|path| path.exists()).and_then(|path| self.maps.open(path).ok())
            && let Ok(index) = cx.run(move || RangedIndex::from_ends(bytes, len)).await?
        {
            return Ok(self.ranged(index, None, true));
        }
        let fetched = Parts::default();
        let mut memory: Option<MemoryLease> = None;
        let index = loop {
            let here = fetched.clone();
            let ranges = match cx.run(move || RangedIndex::open(&here, len)).await? {
                Ok(index) => break index,
                Err(Lack::Failed(Error::Corrupt(e))) => return Err(corrupt(e)),
                Err(Lack::Failed(e)) => return Err(e),
                Err(Lack::Parts(ranges)) => ranges,
            };
            let bytes = ranges.iter().map(|r| r.end - r.start).sum();
            match &mut memory {
                Some(lease) => lease.grow(bytes)?,
                None => memory = Some(self.memory.lease(bytes)?),
            }
            let read = parts::read(&self.bucket, block, &ranges, &Fetched::default()).await?;
            self.metrics.fetched_bytes.inc_by(bytes);
            fetched.add(ranges, read);
        };
        if let (Some(disk), Some(path)) = (&self.disk, path) {
            let bytes = index.ends().len() as u64;
            if self.make_room(disk, block, bytes).await {
                let _room = disk.unless_added(block.id);
                match write_aside(&path, stream::once(future::ok::<_, std::io::Error>(index.ends()))).await {
                    Ok(()) => {
                        disk.added(block.id, bytes);
                        let mapped = self.maps.open(&path).map_err(corrupt)?;
                        let index = cx.run(move || RangedIndex::from_ends(mapped, len)).await?.map_err(corrupt)?;
                        return Ok(self.ranged(index, None, true));
                    }
                    Err(e) => {
                        let path = path.display();
                        tracing::warn!(block = %block.id, %path, err = %e, "cannot keep the ends of an index");
                    }
                }
            }
        }
        Ok(self.ranged(index, memory, false))
    }

    fn ranged(&self, index: RangedIndex, memory: Option<MemoryLease>, mapped: bool) -> Arc<Opened> {
        self.metrics.opened("ranges");
        let ends = if mapped { 0 } else { index.ends().len() };
        let bytes = (index.heap_bytes() + ends) as u64 + 4096;
        Arc::new(Opened { held: Held::Ends(Arc::new(index)), bytes, _memory: memory })
    }

    /// Whether the block's index is read by ranges, and its ends are not on disk though there is room.
    pub(crate) fn lacks_ends(&self, block: &Block) -> bool {
        let Some(disk) = self.disk.as_ref().filter(|_| !self.is_local(block.id)) else { return false };
        block.index_bytes > 0
            && !self.is_small_for_disk(block)
            && !self.is_small_for_memory(block)
            && disk.has_room(block.index_bytes / ENDS_PART)
            && !self.has_copy(block.id)
    }

    /// Fetches an index into a file, part by part.
    async fn keep(&self, block: &Block, path: &Path) -> Result<(), NotKept> {
        let parts = (0..block.index_bytes.div_ceil(PART_BYTES)).map(|i| {
            let range = i * PART_BYTES..block.index_bytes.min((i + 1) * PART_BYTES);
            self.bucket.read_range(block.id, BlockFile::Index, range)
        });
        let parts = stream::iter(parts).buffered(PARTS_AHEAD);
        write_aside(path, parts.map_err(|e| NotKept::Fetch(unavailable(&e)))).await
    }

    /// Maps an index. What its first use finds out is left in the block's folder for the next time.
    fn open_mapped(&self, path: &Path, block: Ulid) -> Result<Arc<Opened>, Corrupt> {
        let index = IndexReader::new(self.maps.open(path)?)?;
        // Only the sampled tables are on the heap, about a hundredth of the file.
        let held = index.bytes().len() as u64 / 64 + 4096;
        let index = match self.dir(block) {
            Some(dir) => index.with_sparse_header(dir.join(SPARSE_FILE)),
            None => index,
        };
        self.metrics.opened("mapped");
        Ok(Arc::new(Opened { held: Held::Whole(Arc::new(index)), bytes: held, _memory: None }))
    }

    /// Where files of the block are kept: never in the bucket, even if that is on this machine.
    fn dir(&self, block: Ulid) -> Option<PathBuf> {
        let dir = self.disk.as_ref()?.dir().join(block.to_string());
        (self.bucket.local_block(block).as_ref() != Some(&dir)).then_some(dir)
    }

    /// Whether the index was read from what is kept of it, and can be fetched again.
    pub(crate) fn has_copy(&self, block: Ulid) -> bool {
        let kept = |disk: &Disk| disk.copy_path(block).exists() || disk.ends_path(block).exists();
        !self.is_local(block) && (self.parts.is_some() || self.disk.as_ref().is_some_and(kept))
    }

    /// Whether the bucket is on this machine: it needs no copies.
    fn is_local(&self, block: Ulid) -> bool {
        self.bucket.local_path(block, BlockFile::Index).is_some()
    }
}

/// Writes a file so that it is there whole or not at all.
async fn write_aside<B: AsRef<[u8]>, E: From<std::io::Error>>(
    path: &Path,
    parts: impl Stream<Item = Result<B, E>>,
) -> Result<(), E> {
    let aside = path.with_extension("tmp");
    let written = async {
        if let Some(dir) = path.parent() {
            tokio::fs::create_dir_all(dir).await?;
        }
        let mut file = tokio::fs::File::create(&aside).await?;
        let mut parts = pin!(parts);
        while let Some(part) = parts.try_next().await? {
            file.write_all(part.as_ref()).await?;
        }
        file.flush().await?;
        tokio::fs::rename(&aside, path).await?;
        Ok(())
    };
    let written: Result<(), E> = written.await;
    if written.is_err() {
        // It may not exist.
        let _gone = tokio::fs::remove_file(&aside).await;
    }
    written
}

/// Why there is no copy.
enum NotKept {
    Fetch(Error),
    Disk(std::io::Error),
}

impl From<std::io::Error> for NotKept {
    fn from(e: std::io::Error) -> Self {
        Self::Disk(e)
    }
}

/// Puts the block before the file's name.
pub(crate) fn named(e: Corrupt, block: Ulid) -> Corrupt {
    if e.file.starts_with(&block.to_string()) {
        return e;
    }
    Corrupt { file: format!("{block}/{}", e.file), ..e }
}

pub(crate) fn unavailable(e: &bucket::Error) -> Error {
    match e {
        bucket::Error::Corrupt(e) => Error::Corrupt(e.clone()),
        other => Error::Unavailable(other.to_string()),
    }
}
