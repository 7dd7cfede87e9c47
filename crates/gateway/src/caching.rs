//! The caching bucket: parts of chunk files and metas, kept in a cache before the object store.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use block::Ulid;
use bucket::BlockFile;
use bytes::{Bytes, BytesMut};
use cache::Cache;
use futures::future::try_join_all;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What is kept, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct CachingSettings {
    /// Chunk files are kept in parts of so many bytes.
    pub(crate) part_bytes: u64,
    /// Requests for what is missing of one range.
    pub(crate) requests_max: usize,
    pub(crate) part_ttl: Duration,
    pub(crate) meta_ttl: Duration,
    pub(crate) meta_bytes_max: u64,
}

/// A store that looks into a cache first.
#[derive(Debug)]
pub(crate) struct Caching {
    inner: Arc<dyn ObjectStore>,
    cache: Cache,
    settings: CachingSettings,
}

impl Caching {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, cache: Cache, settings: CachingSettings) -> Self {
        Self { inner, cache, settings }
    }

    async fn meta(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let key = format!("meta:{location}");
        if let Some(bytes) = self.cache.get(std::slice::from_ref(&key)).await.pop().flatten() {
            let whole = 0..bytes.len() as u64;
            return Ok(answer(location, bytes, whole));
        }
        let got = self.inner.get_opts(location, options).await?;
        let bytes = got.bytes().await?;
        if bytes.len() as u64 <= self.settings.meta_bytes_max {
            self.cache.put(key, bytes.clone(), self.settings.meta_ttl);
        }
        let whole = 0..bytes.len() as u64;
        Ok(answer(location, bytes, whole))
    }

    async fn range(&self, location: &Path, range: Range<u64>) -> Result<GetResult> {
        let size = self.settings.part_bytes;
        let numbers: Vec<u64> = (range.start / size..range.end.div_ceil(size)).collect();
        let first = range.start / size;
        let keys: Vec<String> = numbers.iter().map(|n| format!("part:{location}:{size}:{n}")).collect();
        let mut parts = self.cache.get(&keys).await;
        // The file may end within its last part; what is shorter than asked for is not trusted.
        for (part, n) in parts.iter_mut().zip(&numbers) {
            let needed = range.end.min((n + 1) * size) - n * size;
            part.take_if(|bytes| (bytes.len() as u64) < needed || bytes.len() as u64 > size);
        }
        let runs = missing(&parts, self.settings.requests_max);
        let reads = runs.iter().map(|run| async move {
            let wanted = (first + run.start as u64) * size..(first + run.end as u64) * size;
            let options = GetOptions { range: Some(GetRange::Bounded(wanted)), ..GetOptions::default() };
            self.inner.get_opts(location, options).await?.bytes().await
        });
        for (run, bytes) in runs.iter().zip(try_join_all(reads).await?) {
            for i in run.clone() {
                let start = ((i - run.start) as u64 * size).min(bytes.len() as u64) as usize;
                let end = (start as u64 + size).min(bytes.len() as u64) as usize;
                let part = bytes.slice(start..end);
                if parts[i].is_none() && !part.is_empty() {
                    self.cache.put(keys[i].clone(), part.clone(), self.settings.part_ttl);
                }
                parts[i] = Some(part);
            }
        }
        let mut joined = BytesMut::with_capacity((range.end - range.start) as usize);
        for (part, n) in parts.iter().zip(&numbers) {
            let Some(part) = part else { continue };
            let len = part.len() as u64;
            let from = range.start.saturating_sub(n * size).min(len);
            let to = (range.end - n * size).min(len);
            joined.extend_from_slice(&part[from as usize..to as usize]);
        }
        let bytes = joined.freeze();
        let end = range.start + bytes.len() as u64;
        Ok(answer(location, bytes, range.start..end))
    }
}

/// Runs of parts that are missing; joined into one where there are more than `runs_max`.
fn missing(parts: &[Option<Bytes>], runs_max: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, _) in parts.iter().enumerate().filter(|(_, part)| part.is_none()) {
        match runs.last_mut() {
            Some(last) if last.end == i => last.end = i + 1,
            _ => runs.push(i..i + 1),
        }
    }
    if runs_max > 0 && runs.len() > runs_max {
        let whole = runs[0].start..runs[runs.len() - 1].end;
        return vec![whole];
    }
    runs
}

fn answer(location: &Path, bytes: Bytes, range: Range<u64>) -> GetResult {
    // Of the object only the part that was asked for is known.
    let meta = ObjectMeta {
        location: location.clone(),
        last_modified: Default::default(),
        size: range.end,
        e_tag: None,
        version: None,
    };
    let payload = GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed());
    GetResult { payload, meta, range, attributes: Default::default(), extensions: Default::default() }
}

/// Which of a block's files a name is.
fn block_file(location: &Path) -> Option<BlockFile> {
    let (block, rest) = location.as_ref().split_once('/')?;
    Ulid::from_string(block).ok()?;
    BlockFile::parse(rest)
}

#[async_trait]
impl ObjectStore for Caching {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let conditional = options.if_match.is_some()
            || options.if_none_match.is_some()
            || options.if_modified_since.is_some()
            || options.if_unmodified_since.is_some();
        if conditional || options.head || options.version.is_some() {
            return self.inner.get_opts(location, options).await;
        }
        match (block_file(location), &options.range) {
            (Some(BlockFile::Chunks(_)), Some(GetRange::Bounded(range))) if range.start < range.end => {
                self.range(location, range.clone()).await
            }
            (Some(BlockFile::Meta), None) => self.meta(location, options).await,
            _ => self.inner.get_opts(location, options).await,
        }
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Display for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caching({})", self.inner)
    }
}

#[cfg(test)]
mod tests;
