//! Writing blocks and small objects, so that a crash or a lost answer at any point does no harm.

use std::path::{Path as FsPath, PathBuf};

use block::meta::{BlockMeta, File as FileEntry, Thanos};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload};
use tokio::io::AsyncReadExt;

use crate::{BlockFile, Bucket, Error, Result};

/// How many parts of one object are under way at a time.
const PARTS_PARALLEL: usize = 4;

/// S3 takes at most 10 000 parts an object.
const PARTS_MAX: u64 = 10_000;

/// What an upload found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// The block is visible now. `bytes` were sent; `skipped` files were there from an earlier attempt.
    New { bytes: u64, skipped: usize },
    /// The block was visible already; nothing was sent.
    AlreadyThere,
}

/// What became of a write that must not replace anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Created,
    /// The same bytes were there: somebody else's, or our own whose answer was lost.
    Same,
    /// Other bytes were there, and still are.
    Different(Bytes),
}

/// The files of the block in `dir` in upload order (chunks, then index) with their sizes.
///
/// # Errors
/// When the folder cannot be read, lacks an index or chunks, or its chunk files are not numbered from 1.
fn block_files(dir: &FsPath) -> Result<Vec<(BlockFile, u64)>> {
    let mut files = Vec::new();
    for number in 1.. {
        let file = BlockFile::Chunks(number);
        match std::fs::metadata(dir.join(file.rel_path())) {
            Ok(found) => files.push((file, found.len())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && number > 1 => break,
            Err(e) => return Err(Error::local(dir.join(file.rel_path()), e)),
        }
    }
    let index = dir.join(BlockFile::Index.rel_path());
    let found = std::fs::metadata(&index).map_err(|e| Error::local(index, e))?;
    files.push((BlockFile::Index, found.len()));
    Ok(files)
}

/// Lists the files of the block in `dir`, with sizes, in the meta's `thanos` section, as other
/// components read it.
///
/// # Errors
/// When the folder does not hold a complete block.
pub fn describe_files(dir: &FsPath, meta: &mut BlockMeta) -> Result<()> {
    let files = block_files(dir)?;
    let thanos = meta.thanos.get_or_insert_with(|| Thanos { version: 1, ..Thanos::default() });
    let segments = files.iter().filter(|(file, _)| matches!(file, BlockFile::Chunks(_)));
    thanos.segment_files =
        segments.filter_map(|(file, _)| Some(file.rel_path().strip_prefix("chunks/")?.to_owned())).collect();
    thanos.files = files
        .iter()
        .map(|(file, size)| FileEntry { rel_path: file.rel_path(), size_bytes: *size, ..FileEntry::default() })
        .chain([FileEntry { rel_path: BlockFile::Meta.rel_path(), ..FileEntry::default() }])
        .collect();
    Ok(())
}

impl Bucket {
    /// Uploads the block in `dir`: chunks, then index, then `meta` with the files listed, so that the
    /// block becomes visible whole or not at all. Files that an earlier attempt left with the right
    /// size are not sent again.
    ///
    /// # Errors
    /// When a file cannot be read or written. The block is then not visible; call again.
    pub async fn upload_block(&self, dir: &FsPath, meta: &BlockMeta) -> Result<Uploaded> {
        self.upload(dir, meta, false).await
    }

    /// As [`Self::upload_block`], for files that nobody will change any more: where the bucket is a folder
    /// on the same file system they are linked, not copied.
    ///
    /// # Errors
    /// As [`Self::upload_block`].
    pub async fn adopt_block(&self, dir: &FsPath, meta: &BlockMeta) -> Result<Uploaded> {
        self.upload(dir, meta, true).await
    }

    async fn upload(&self, dir: &FsPath, meta: &BlockMeta, link: bool) -> Result<Uploaded> {
        let mut meta = meta.clone();
        describe_files(dir, &mut meta)?;
        let there = self.list_block(meta.ulid).await?;
        if there.contains_key(&BlockFile::Meta.rel_path()) {
            return Ok(Uploaded::AlreadyThere);
        }
        if let Some(folder) = self.local_block(meta.ulid) {
            remove_leftovers(&folder);
        }
        let (mut bytes, mut skipped) = (0, 0);
        for (file, size) in block_files(dir)? {
            if there.get(&file.rel_path()).is_some_and(|object| object.size == size) {
                skipped += 1;
                continue;
            }
            let from = dir.join(file.rel_path());
            let local = self.local_path(meta.ulid, file).filter(|_| link);
            let linked = match local {
                Some(to) => link_file(&from, &to).await,
                None => false,
            };
            if !linked {
                self.upload_file(&from, &file.path(meta.ulid), size).await?;
            }
            bytes += size;
        }
        let object = BlockFile::Meta.path(meta.ulid);
        match self.put_new(&object, meta.to_json().into()).await? {
            Put::Created | Put::Same => Ok(Uploaded::New { bytes, skipped }),
            Put::Different(_) => Err(Error::Conflict {
                object: object.to_string(),
                what: "another process has uploaded a block of the same id".to_owned(),
            }),
        }
    }

    /// Sends one local file, in parts where it is large.
    async fn upload_file(&self, from: &FsPath, to: &Path, size: u64) -> Result<()> {
        let write = self.write_options();
        let part_bytes = write.part_bytes.max(size.div_ceil(PARTS_MAX));
        let mut source = Source::open(from, size).await?;
        if size <= part_bytes || !write.multipart {
            let payload = source.next(size).await?;
            let options = PutOptions { attributes: write.attributes.clone(), ..PutOptions::default() };
            let put = self.store().put_opts(to, payload.into(), options).await;
            return put.map(|_| ()).map_err(|e| Error::store("write", to, e));
        }
        let options = PutMultipartOptions { attributes: write.attributes.clone(), ..PutMultipartOptions::default() };
        let upload = self.store().put_multipart_opts(to, options).await;
        let mut upload = upload.map_err(|e| Error::store("write", to, e))?;
        let mut parts = FuturesUnordered::new();
        let sent: Result<()> = async {
            let mut left = size;
            while left > 0 {
                let payload = source.next(left.min(part_bytes)).await?;
                left -= payload.len() as u64;
                parts.push(upload.put_part(PutPayload::from(payload)));
                if parts.len() == PARTS_PARALLEL {
                    finished(parts.next().await, to)?;
                }
            }
            while let Some(part) = parts.next().await {
                finished(Some(part), to)?;
            }
            Ok(())
        }
        .await;
        drop(parts);
        let completed = match sent {
            Ok(()) => upload.complete().await.map(|_| ()).map_err(|e| Error::store("write", to, e)),
            Err(e) => Err(e),
        };
        let Err(error) = completed else { return Ok(()) };
        // The answer to the last request may be all that was lost.
        if self.store().head(to).await.is_ok_and(|object| object.size == size) {
            return Ok(());
        }
        if let Err(e) = upload.abort().await {
            tracing::debug!(object = %to, error = %e, "could not abort an upload in parts");
        }
        Err(error)
    }

    /// Writes a small object that must not replace another one.
    pub(crate) async fn put_new(&self, path: &Path, bytes: Bytes) -> Result<Put> {
        let attributes = self.write_options().attributes.clone();
        let create = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let error = match self.store().put_opts(path, bytes.clone().into(), create.clone()).await {
            Ok(_) => return Ok(Put::Created),
            Err(e) => e,
        };
        // There already, or written by us with the answer lost: only reading back tells.
        match self.read_back(path).await {
            Some(found) if found == bytes => return Ok(Put::Same),
            Some(found) => return Ok(Put::Different(found)),
            None => {}
        }
        if !unconditional(&error) {
            return Err(Error::store("write", path, error));
        }
        // The store knows no conditional writes, and the object is not there.
        let overwrite = PutOptions { mode: PutMode::Overwrite, ..create };
        match self.store().put_opts(path, bytes.into(), overwrite).await {
            Ok(_) => Ok(Put::Created),
            Err(e) => Err(Error::store("write", path, e)),
        }
    }

    async fn read_back(&self, path: &Path) -> Option<Bytes> {
        self.store().get(path).await.ok()?.bytes().await.ok()
    }
}

/// Removes what a killed process left in a folder: objects under way are files named `<name>#<number>`,
/// which no listing shows.
fn remove_leftovers(folder: &FsPath) {
    let entries = [folder.to_owned(), folder.join("chunks")].map(|dir| std::fs::read_dir(dir).into_iter().flatten());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|n| n.rsplit_once('#')).map(|(_, number)| number);
        if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            tracing::info!(file = %entry.path().display(), "removing what an upload cut short left");
            if let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!(file = %entry.path().display(), %error, "could not remove it");
            }
        }
    }
}

/// Gives a file a second name, its bytes on disk first; `false` where that is not possible.
async fn link_file(from: &FsPath, to: &FsPath) -> bool {
    let (from, to) = (from.to_owned(), to.to_owned());
    let link = move || -> std::io::Result<()> {
        std::fs::File::open(&from)?.sync_all()?;
        let folder = to.parent().unwrap_or(&to);
        std::fs::create_dir_all(folder)?;
        std::fs::hard_link(&from, &to)?;
        std::fs::File::open(folder)?.sync_all()
    };
    match tokio::task::spawn_blocking(link).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "could not link a block's file, copying it");
            false
        }
        Err(_) => false,
    }
}

/// Whether the store refused the condition rather than the write.
fn unconditional(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    match error {
        E::NotImplemented { .. } | E::NotSupported { .. } => true,
        E::Generic { source, .. } => source.to_string().contains("501 Not Implemented"),
        _ => false,
    }
}

fn finished(part: Option<object_store::Result<()>>, to: &Path) -> Result<()> {
    part.unwrap_or(Ok(())).map_err(|e| Error::store("write", to, e))
}

/// A local file read in parts.
struct Source {
    path: PathBuf,
    file: tokio::fs::File,
}

impl Source {
    async fn open(path: &FsPath, size: u64) -> Result<Self> {
        let open = async {
            let file = tokio::fs::File::open(path).await?;
            let now = file.metadata().await?.len();
            if now != size {
                return Err(std::io::Error::other(format!("changed while it was uploaded: {size} bytes, now {now}")));
            }
            Ok(file)
        };
        let file = open.await.map_err(|e| Error::local(path, e))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Exactly the next `len` bytes.
    async fn next(&mut self, len: u64) -> Result<Bytes> {
        let too_large = |_| std::io::Error::other(format!("{len} bytes do not fit into memory"));
        let read = async {
            let mut buffer = vec![0; usize::try_from(len).map_err(too_large)?];
            self.file.read_exact(&mut buffer).await?;
            Ok(buffer.into())
        };
        read.await.map_err(|e| Error::local(&self.path, e))
    }
}

#[cfg(test)]
mod tests;
