use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use block::index::SPARSE_FILE;
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
    /// Where fetched indexes and sparse headers are kept; `None` keeps them in memory.
    data_dir: Option<PathBuf>,
    indexes: Cache<Ulid, Arc<IndexReader>>,
    segments: Cache<Ulid, Arc<ChunkReader>>,
}

/// The copy of an index below a folder of the block's name.
const INDEX_COPY: &str = "index";
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
        if let Some(dir) = self.dir(block) {
            // What does not exist cannot be removed; what is left is only found again.
            if !self.is_local(block) {
                let _gone = std::fs::remove_file(dir.join(INDEX_COPY));
            }
            let _gone = std::fs::remove_file(dir.join(SPARSE_FILE));
            let _empty = std::fs::remove_dir(dir);
        }
    }

    /// The blocks of which something is kept on disk.
    pub(crate) fn copies(&self) -> Vec<Ulid> {
        let Some(entries) = self.data_dir.as_ref().and_then(|dir| std::fs::read_dir(dir).ok()) else {
            return Vec::new();
        };
        entries.filter_map(|entry| Ulid::from_string(entry.ok()?.file_name().to_str()?).ok()).collect()
    }

    async fn open_index(&self, block: &Block) -> Result<Arc<IndexReader>, Error> {
        if let Some(path) = self.bucket.local_path(block.id, BlockFile::Index) {
            return Ok(Arc::new(self.open_mapped(&path, block.id).map_err(|e| Error::Corrupt(named(e, block.id)))?));
        }
        let Some(copy) = self.dir(block.id).map(|dir| dir.join(INDEX_COPY)) else {
            return self.open_fetched(block).await;
        };
        if let Ok(index) = self.open_mapped(&copy, block.id)
            && index.bytes().len() as u64 == block.index_bytes
        {
            return Ok(Arc::new(index));
        }
        let bytes = self.fetch(block).await?;
        match keep(&copy, &bytes) {
            Ok(()) => Ok(Arc::new(self.open_mapped(&copy, block.id).map_err(|e| Error::Corrupt(named(e, block.id)))?)),
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

    /// Maps an index. What its first use finds out is left in the block's folder for the next time.
    fn open_mapped(&self, path: &Path, block: Ulid) -> Result<IndexReader, Corrupt> {
        let index = IndexReader::new(map_file(path)?)?;
        Ok(match self.dir(block) {
            Some(dir) => index.with_sparse_header(dir.join(SPARSE_FILE)),
            None => index,
        })
    }

    /// Where files of the block are kept: never in the bucket, even if that is on this machine.
    fn dir(&self, block: Ulid) -> Option<PathBuf> {
        let dir = self.data_dir.as_ref()?.join(block.to_string());
        (self.bucket.local_block(block).as_ref() != Some(&dir)).then_some(dir)
    }

    /// Whether the bucket is on this machine: it needs no copies.
    fn is_local(&self, block: Ulid) -> bool {
        self.bucket.local_path(block, BlockFile::Index).is_some()
    }
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
