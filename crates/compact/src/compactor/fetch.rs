//! Making inputs of a merge ready: indexes mapped, chunk files read by range as the merge goes.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use block::{BlockMeta, Corrupt, IndexReader, Ulid, map_file};
use bucket::{BlockFile, Bucket};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::Compactor;
use super::group::local;
use crate::{Error, Input, ReadSegment, Result};

/// Bytes of an index fetched with one request.
const INDEX_PART_BYTES: u64 = 16 << 20;

impl Compactor {
    /// The inputs in the order of `planned`. Indexes of remote blocks come to `scratch`, chunks do not.
    pub(super) async fn fetch(&self, planned: &[Arc<BlockMeta>], scratch: &Path) -> Result<Vec<Input>> {
        // Collected first: a closure over borrowed blocks would keep the future from moving between threads.
        let fetches: Vec<_> = planned.iter().map(|block| fetch_one(self.bucket(), block.ulid, scratch)).collect();
        stream::iter(fetches).buffered(self.settings.fetch_concurrency.max(1)).try_collect().await
    }
}

async fn fetch_one(bucket: &Bucket, id: Ulid, scratch: &Path) -> Result<Input> {
    let corrupt = |corrupt: Corrupt| Error::Corrupt { block: id, corrupt };
    let objects = bucket.list_block(id).await?;
    let mut segments = Vec::new();
    while let Some(object) = objects.get(&BlockFile::Chunks(segments.len() as u32 + 1).rel_path()) {
        segments.push(object.size);
    }
    let Some(index) = objects.get(&BlockFile::Index.rel_path()) else {
        return Err(corrupt(Corrupt::new(0, "does not exist").within("index", 0)));
    };
    let (path, read) = match bucket.local_path(id, BlockFile::Index) {
        Some(path) => (path, read_files(bucket, id, segments.len())?),
        None => {
            let path = scratch.join(format!("{id}.index"));
            download(bucket, id, index.size, &path).await?;
            (path, read_objects(bucket, id))
        }
    };
    let mapped = map_file(&path).and_then(|bytes| {
        if bytes.len() as u64 == index.size {
            return Ok(bytes);
        }
        Err(Corrupt::new(0, format!("{} bytes, {} were expected", bytes.len(), index.size)))
    });
    let index = mapped.and_then(IndexReader::new).map_err(|e| corrupt(e.within("index", 0)))?;
    Ok(Input { id, index, segments, read })
}

/// Reads the chunk files of a bucket that is a folder.
fn read_files(bucket: &Bucket, id: Ulid, segments: usize) -> Result<ReadSegment> {
    let mut files = Vec::with_capacity(segments);
    for number in 1..=segments {
        let Some(path) = bucket.local_path(id, BlockFile::Chunks(number as u32)) else { break };
        files.push((File::open(&path).map_err(|e| local(path.clone(), e))?, path));
    }
    Ok(Box::new(move |segment, range| {
        let Some((file, path)) = files.get(segment as usize) else { return Ok(Bytes::new()) };
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, range.start).map_err(|e| local(path.clone(), e))?;
        Ok(bytes.into())
    }))
}

/// Reads the chunk objects of a remote bucket from the merge's thread.
fn read_objects(bucket: &Bucket, id: Ulid) -> ReadSegment {
    let (bucket, runtime) = (bucket.clone(), tokio::runtime::Handle::current());
    Box::new(move |segment, range| {
        Ok(runtime.block_on(bucket.read_range(id, BlockFile::Chunks(segment + 1), range))?)
    })
}

async fn download(bucket: &Bucket, id: Ulid, size: u64, path: &Path) -> Result<()> {
    let mut file = File::create(path).map_err(|e| local(path.to_owned(), e))?;
    let mut at = 0;
    while at < size {
        let end = size.min(at + INDEX_PART_BYTES);
        let part = bucket.read_range(id, BlockFile::Index, at..end).await?;
        file.write_all(&part).map_err(|e| local(path.to_owned(), e))?;
        at = end;
    }
    Ok(())
}
