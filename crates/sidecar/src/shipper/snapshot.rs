use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tracing::warn;
use ulid::Ulid;

/// Where blocks are linked while they are sent, as in Thanos.
const UPLOAD_DIR: &str = "thanos/upload";

/// A block linked aside; removed on drop.
#[derive(Debug)]
pub(super) struct Snapshot {
    dir: PathBuf,
}

impl Snapshot {
    /// Links the files of a block below `tsdb_path` aside; copies where links are not possible.
    pub(super) fn take(tsdb_path: &Path, id: Ulid) -> Result<Self> {
        let dir = tsdb_path.join(UPLOAD_DIR).join(id.to_string());
        remove(&dir)?;
        let snapshot = Self { dir };
        link_tree(&tsdb_path.join(id.to_string()), &snapshot.dir)?;
        Ok(snapshot)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes what a killed process left.
    pub(super) fn clear_old(tsdb_path: &Path) -> Result<()> {
        remove(&tsdb_path.join(UPLOAD_DIR))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(e) = remove(&self.dir) {
            warn!(error = format!("{e:#}"), "could not remove a block that was linked aside");
        }
    }
}

fn remove(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn link_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let path = entry.with_context(|| format!("read {}", from.display()))?.path();
        let target = to.join(path.file_name().context("a folder's entry has a name")?);
        if path.is_dir() {
            link_tree(&path, &target)?;
        } else if std::fs::hard_link(&path, &target).is_err() {
            std::fs::copy(&path, &target).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    Ok(())
}
