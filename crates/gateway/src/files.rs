use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use block::{ChunkReader, Corrupt, IndexReader, Ulid, map_file};
use bucket::{BlockFile, Bucket};
use bytes::Bytes;
use moka::future::Cache;
use store::Error;

use crate::block::Block;

/// Opens blocks' files and keeps them open for a while: memory-mapped where they lie on this machine,
/// which includes copies of indexes below the data directory.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) bucket: Bucket,
    /// Where fetched indexes are kept; `None` keeps them in memory.
    data_dir: Option<PathBuf>,
    indexes: Cache<Ulid, Arc<IndexReader>>,
    segments: Cache<Ulid, Arc<ChunkReader>>,
}

/// Maps are cheap but not free.
const MAPPED_BLOCKS_MAX: u64 = 4096;

impl Files {
    /// Open indexes may take `cache_bytes` of memory and are closed after `idle` without a request.
    pub(crate) fn new(bucket: Bucket, data_dir: Option<PathBuf>, cache_bytes: u64, idle: Duration) -> Self {
        let mapped = data_dir.is_some() || bucket.local_path(Ulid::nil(), BlockFile::Index).is_some();
        let weight = move |_: &Ulid, index: &Arc<IndexReader>| {
            let file = index.bytes().len();
            // Of a mapped index only the sampled tables are on the heap, about a hundredth of it.
            let held = if mapped { file / 64 + 4096 } else { file + file / 64 };
            u32::try_from(held).unwrap_or(u32::MAX)
        };
        Self {
            bucket,
            data_dir,
            indexes: Cache::builder().max_capacity(cache_bytes).weigher(weight).time_to_idle(idle).build(),
            segments: Cache::builder().max_capacity(MAPPED_BLOCKS_MAX).time_to_idle(idle).build(),
        }
    }

    /// The block's index; fetched once where it is not on this machine.
    pub(crate) async fn index(&self, block: &Block) -> Result<Arc<IndexReader>, Error> {
        let opened = self.indexes.try_get_with(block.id, self.open_index(block)).await;
        opened.map_err(|e| (*e).clone())
    }

    /// The block's segment files where they can be mapped; `None` for a remote bucket.
    pub(crate) async fn segments(&self, block: &Block) -> Result<Option<Arc<ChunkReader>>, Error> {
        let Some(dir) = self.bucket.local_block(block.id) else { return Ok(None) };
        let open = async { ChunkReader::open(&dir).map(Arc::new).map_err(|e| named(e, block.id)) };
        let opened = self.segments.try_get_with(block.id, open).await;
        opened.map(Some).map_err(|e| Error::Corrupt((*e).clone()))
    }

    /// Closes what is open of a block, and forgets the copy of its index: it turned out to be damaged, or
    /// the block is gone.
    pub(crate) async fn forget(&self, block: Ulid) {
        self.indexes.invalidate(&block).await;
        self.segments.invalidate(&block).await;
        if let Some(copy) = self.copy_path(block) {
            // The copy may not exist; if it cannot be removed it is only found again.
            let _gone = std::fs::remove_file(&copy);
            let _empty = copy.parent().map(std::fs::remove_dir);
        }
    }

    /// The blocks whose indexes are copied on disk.
    pub(crate) fn copies(&self) -> Vec<Ulid> {
        let Some(entries) = self.data_dir.as_ref().and_then(|dir| std::fs::read_dir(dir).ok()) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| Ulid::from_string(entry.ok()?.file_name().to_str()?).ok());
        names.filter(|id| self.copy_path(*id).is_some_and(|path| path.exists())).collect()
    }

    async fn open_index(&self, block: &Block) -> Result<Arc<IndexReader>, Error> {
        if let Some(path) = self.bucket.local_path(block.id, BlockFile::Index) {
            return Ok(Arc::new(open_mapped(&path).map_err(|e| Error::Corrupt(named(e, block.id)))?));
        }
        let Some(copy) = self.copy_path(block.id) else { return self.open_fetched(block).await };
        if let Ok(index) = open_mapped(&copy)
            && index.bytes().len() as u64 == block.index_bytes
        {
            return Ok(Arc::new(index));
        }
        let bytes = self.fetch(block).await?;
        match keep(&copy, &bytes) {
            Ok(()) => Ok(Arc::new(open_mapped(&copy).map_err(|e| Error::Corrupt(named(e, block.id)))?)),
            Err(e) => {
                tracing::warn!(block = %block.id, path = %copy.display(), err = %e, "cannot keep a copy of the index");
                Ok(Arc::new(IndexReader::new(bytes).map_err(|e| Error::Corrupt(named(e, block.id)))?))
            }
        }
    }

    async fn open_fetched(&self, block: &Block) -> Result<Arc<IndexReader>, Error> {
        let bytes = self.fetch(block).await?;
        Ok(Arc::new(IndexReader::new(bytes).map_err(|e| Error::Corrupt(named(e, block.id)))?))
    }

    async fn fetch(&self, block: &Block) -> Result<Bytes, Error> {
        self.bucket.read(block.id, BlockFile::Index).await.map_err(|e| unavailable(&e))
    }

    fn copy_path(&self, block: Ulid) -> Option<PathBuf> {
        // A bucket on this machine needs no copies.
        if self.bucket.local_path(block, BlockFile::Index).is_some() {
            return None;
        }
        Some(self.data_dir.as_ref()?.join(block.to_string()).join("index"))
    }
}

fn open_mapped(path: &Path) -> Result<IndexReader, Corrupt> {
    IndexReader::new(map_file(path)?)
}

/// Writes a copy so that it is there whole or not at all.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension("tmp");
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&aside, bytes).and_then(|()| std::fs::rename(&aside, path)).inspect_err(|_| {
        let _gone = std::fs::remove_file(&aside);
    })
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
