use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use block::index::SPARSE_FILE;
use block::{ChunkReader, Corrupt, IndexReader, Ulid};
use bucket::{BlockFile, Bucket};
use futures::{StreamExt, TryStreamExt, stream};
use moka::future::Cache;
use request::{MemoryAccount, MemoryBudget, MemoryLease};
use store::Error;
use tokio::io::AsyncWriteExt;

use crate::block::Block;
use crate::disk::{Disk, INDEX_COPY};
use crate::maps::Maps;

/// Opens blocks' files and keeps them open for a while: memory-mapped where they lie on this machine,
/// which includes copies of indexes below the data directory.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) bucket: Bucket,
    /// Where fetched indexes and sparse headers are kept; `None` keeps them in memory.
    disk: Option<Disk>,
    /// Pays for indexes in memory.
    memory: MemoryAccount,
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
    index: Arc<IndexReader>,
    /// Bytes on the heap, about.
    held: u64,
    _memory: Option<MemoryLease>,
}

/// Maps are cheap but not free.
const MAPPED_BLOCKS_MAX: u64 = 4096;

impl Files {
    pub(crate) fn new(bucket: Bucket, settings: FileSettings) -> Self {
        let FileSettings { data_dir, disk_bytes_max, cache_bytes, idle, memory } = settings;
        let weight = move |_: &Ulid, index: &Arc<Opened>| u32::try_from(index.held).unwrap_or(u32::MAX);
        Self {
            bucket,
            disk: data_dir.map(|dir| Disk::open(&dir, disk_bytes_max)),
            memory: memory.account(u64::MAX),
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

    /// The files that are mapped.
    pub(crate) fn maps(&self) -> &Arc<Maps> {
        &self.maps
    }

    /// The block's index; fetched once where it is not on this machine.
    pub(crate) async fn index(&self, block: &Block) -> Result<Arc<IndexReader>, Error> {
        let opened = self.indexes.try_get_with(block.id, self.open_index(block)).await;
        if let Some(disk) = &self.disk {
            disk.used(block.id);
        }
        opened.map(|o| Arc::clone(&o.index)).map_err(|e| (*e).clone())
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

    /// Closes what is open of a block, and forgets the copy of its index: it turned out to be damaged, or
    /// the block is gone.
    pub(crate) async fn forget(&self, block: Ulid) {
        self.indexes.invalidate(&block).await;
        self.segments.invalidate(&block).await;
        if let Some(dir) = self.dir(block) {
            // What does not exist cannot be removed; what is left is only found again.
            if !self.is_local(block) {
                let _gone = std::fs::remove_file(dir.join(INDEX_COPY));
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

    async fn open_index(&self, block: &Block) -> Result<Arc<Opened>, Error> {
        let corrupt = |e| Error::Corrupt(named(e, block.id));
        if let Some(path) = self.bucket.local_path(block.id, BlockFile::Index) {
            return self.open_mapped(&path, block.id).map_err(corrupt);
        }
        let Some(disk) = &self.disk else { return self.open_fetched(block).await };
        let copy = disk.copy_path(block.id);
        if let Ok(opened) = self.open_mapped(&copy, block.id)
            && opened.index.bytes().len() as u64 == block.index_bytes
        {
            return Ok(opened);
        }
        let room = if block.index_bytes > 0 { disk.make_room(block.id, block.index_bytes) } else { None };
        let Some(gone) = room else { return self.open_fetched(block).await };
        let _room = disk.unless_added(block.id);
        for evicted in gone {
            self.indexes.invalidate(&evicted).await;
            // What stays is found again at the next start.
            let _gone = std::fs::remove_file(disk.copy_path(evicted));
        }
        match self.keep(block, &copy).await {
            Ok(()) => {
                disk.added(block.id, block.index_bytes);
                self.open_mapped(&copy, block.id).map_err(corrupt)
            }
            Err(NotKept::Fetch(e)) => Err(e),
            Err(NotKept::Disk(e)) => {
                tracing::warn!(block = %block.id, path = %copy.display(), err = %e, "cannot keep a copy of the index");
                self.open_fetched(block).await
            }
        }
    }

    /// Fetches an index into memory.
    async fn open_fetched(&self, block: &Block) -> Result<Arc<Opened>, Error> {
        let memory = self.memory.lease(block.index_bytes).map_err(|e| {
            Error::Exhausted(format!("the index of block {} has {} bytes: {e}", block.id, block.index_bytes))
        })?;
        let bytes = self.bucket.read(block.id, BlockFile::Index).await.map_err(|e| unavailable(&e))?;
        let held = bytes.len() as u64 / 64 * 65 + 4096;
        let index = IndexReader::new(bytes).map_err(|e| Error::Corrupt(named(e, block.id)))?;
        Ok(Arc::new(Opened { index: Arc::new(index), held, _memory: Some(memory) }))
    }

    /// Fetches an index into a file, part by part, so that the file is there whole or not at all.
    async fn keep(&self, block: &Block, path: &Path) -> Result<(), NotKept> {
        let aside = path.with_extension("tmp");
        let kept = async {
            if let Some(dir) = path.parent() {
                tokio::fs::create_dir_all(dir).await?;
            }
            let mut file = tokio::fs::File::create(&aside).await?;
            let parts = (0..block.index_bytes.div_ceil(PART_BYTES)).map(|i| {
                let range = i * PART_BYTES..block.index_bytes.min((i + 1) * PART_BYTES);
                self.bucket.read_range(block.id, BlockFile::Index, range)
            });
            let mut parts = stream::iter(parts).buffered(PARTS_AHEAD);
            while let Some(part) = parts.try_next().await.map_err(|e| NotKept::Fetch(unavailable(&e)))? {
                file.write_all(&part).await?;
            }
            file.flush().await?;
            tokio::fs::rename(&aside, path).await?;
            Ok(())
        };
        let kept: Result<(), NotKept> = kept.await;
        if kept.is_err() {
            // It may not exist.
            let _gone = tokio::fs::remove_file(&aside).await;
        }
        kept
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
        Ok(Arc::new(Opened { index: Arc::new(index), held, _memory: None }))
    }

    /// Where files of the block are kept: never in the bucket, even if that is on this machine.
    fn dir(&self, block: Ulid) -> Option<PathBuf> {
        let dir = self.disk.as_ref()?.dir().join(block.to_string());
        (self.bucket.local_block(block).as_ref() != Some(&dir)).then_some(dir)
    }

    /// Whether the index was read from a copy, which can be fetched again.
    pub(crate) fn has_copy(&self, block: Ulid) -> bool {
        !self.is_local(block) && self.disk.as_ref().is_some_and(|disk| disk.copy_path(block).exists())
    }

    /// Whether the bucket is on this machine: it needs no copies.
    fn is_local(&self, block: Ulid) -> bool {
        self.bucket.local_path(block, BlockFile::Index).is_some()
    }
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
