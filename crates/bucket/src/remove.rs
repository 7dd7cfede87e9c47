//! Marks and deletion.

use block::meta::{DeletionMark, NoCompactMark, NoDownsampleMark};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use ulid::Ulid;

use crate::bucket::object_path;
use crate::upload::Put;
use crate::{BlockFile, Bucket, Error, Result};

impl Bucket {
    /// Marks a block for deletion. `false`: it was marked before, and keeps that mark.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub async fn mark_for_deletion(&self, mark: &DeletionMark) -> Result<bool> {
        self.put_mark(mark.id, BlockFile::DeletionMark, mark.to_json()).await
    }

    /// Marks a block as not to be compacted. `false`: it was marked before, and keeps that mark.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub async fn mark_no_compact(&self, mark: &NoCompactMark) -> Result<bool> {
        self.put_mark(mark.id, BlockFile::NoCompactMark, mark.to_json()).await
    }

    /// Marks a block as not to be downsampled. `false`: it was marked before, and keeps that mark.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub async fn mark_no_downsample(&self, mark: &NoDownsampleMark) -> Result<bool> {
        self.put_mark(mark.id, BlockFile::NoDownsampleMark, mark.to_json()).await
    }

    async fn put_mark(&self, block: Ulid, file: BlockFile, bytes: Vec<u8>) -> Result<bool> {
        Ok(matches!(self.put_new(&file.path(block), bytes.into()).await?, Put::Created))
    }

    /// Takes a mark off a block; fine where there is none.
    ///
    /// # Errors
    /// When the mark cannot be deleted, or `file` is not a mark.
    pub async fn unmark(&self, block: Ulid, file: BlockFile) -> Result<()> {
        if !matches!(file, BlockFile::DeletionMark | BlockFile::NoCompactMark | BlockFile::NoDownsampleMark) {
            return Err(Error::Config(format!("{file} is not a mark")));
        }
        self.delete_object(&file.path(block)).await
    }

    /// Deletes a block and whatever else lies in its folder: `meta.json` first, so that it is invisible
    /// from then on, the deletion mark last, so that a deletion cut short is taken up again.
    ///
    /// # Errors
    /// When something cannot be listed or deleted; call again.
    pub async fn delete_block(&self, block: Ulid) -> Result<()> {
        let objects = self.list_block(block).await?;
        let meta = BlockFile::Meta.rel_path();
        let mark = BlockFile::DeletionMark.rel_path();
        if objects.contains_key(&meta) {
            self.delete_object(&BlockFile::Meta.path(block)).await?;
        }
        for rest in objects.keys().filter(|rest| **rest != meta && **rest != mark) {
            self.delete_object(&object_path(block, rest)).await?;
        }
        if objects.contains_key(&mark) {
            self.delete_object(&BlockFile::DeletionMark.path(block)).await?;
        }
        if let Some(folder) = self.local_block(block) {
            // Files of an upload cut short are in no listing.
            match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::local(folder, e)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn delete_object(&self, path: &Path) -> Result<()> {
        match self.store().delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(Error::store("delete", path, e)),
        }
    }
}
