use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use block::Ulid;
use bucket::{BlockFile, Bucket};
use tokio::io::AsyncWriteExt;

/// So much of an object is in memory at a time.
const PIECE_BYTES: u64 = 16 << 20;

/// A block's objects as files; removed when dropped.
#[derive(Debug)]
pub(super) struct Fetched {
    root: PathBuf,
    dir: PathBuf,
}

impl Fetched {
    pub(super) async fn new(bucket: &Bucket, id: Ulid, below: &Path) -> Result<Self> {
        let root = below.join(format!("esker-verify-{}-{id}", std::process::id()));
        let fetched = Self { dir: root.join(id.to_string()), root };
        for (name, object) in bucket.list_block(id).await? {
            let Some(file) = BlockFile::parse(&name) else { continue };
            fetched.write(bucket, id, file, object.size).await?;
        }
        Ok(fetched)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    async fn write(&self, bucket: &Bucket, id: Ulid, file: BlockFile, size: u64) -> Result<()> {
        let path = self.dir.join(file.rel_path());
        let naming = || format!("write {}", path.display());
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await.with_context(naming)?;
        }
        let mut out = tokio::fs::File::create(&path).await.with_context(naming)?;
        let mut at = 0;
        while at < size {
            let end = size.min(at + PIECE_BYTES);
            let piece = bucket.read_range(id, file, at..end).await?;
            out.write_all(&piece).await.with_context(naming)?;
            at = end;
        }
        out.flush().await.with_context(naming)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.root)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %self.root.display(), err = %e, "cannot remove a fetched block");
        }
    }
}
