use std::path::{Path, PathBuf};

use ::bytes::Bytes;
use memmap2::Mmap;

use crate::index::INDEX_FILE;
use crate::meta::META_FILE;
use crate::tombstones::TOMBSTONES_FILE;
use crate::{BlockMeta, ChunkReader, Corrupt, IndexReader, Tombstones};

/// A whole block in a folder, its files mapped into memory.
#[derive(Debug)]
pub struct BlockReader {
    pub dir: PathBuf,
    pub meta: BlockMeta,
    pub index: IndexReader,
    pub chunks: ChunkReader,
    pub tombstones: Tombstones,
}

impl BlockReader {
    /// # Errors
    /// When a file is missing or damaged; its name includes the folder's.
    pub fn open(dir: &Path) -> Result<Self, Corrupt> {
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Self::open_files(dir).map_err(|e| Corrupt { file: format!("{name}/{}", e.file), ..e })
    }

    fn open_files(dir: &Path) -> Result<Self, Corrupt> {
        let tombstones = match dir.join(TOMBSTONES_FILE) {
            path if path.exists() => Tombstones::parse(&map_file(&path)?)?,
            _ => Tombstones::default(),
        };
        Ok(Self {
            meta: BlockMeta::parse(&map_file(&dir.join(META_FILE))?)?,
            index: IndexReader::new(map_file(&dir.join(INDEX_FILE))?)?,
            chunks: ChunkReader::open(dir)?,
            tombstones,
            dir: dir.to_owned(),
        })
    }
}

/// Maps a file into memory as [`Bytes`]: slices of it keep the map alive.
///
/// # Errors
/// When the file cannot be opened: it counts as damaged at offset 0.
pub fn map_file(path: &Path) -> Result<Bytes, Corrupt> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let unreadable = |e: std::io::Error| Corrupt { file: name.clone(), offset: 0, what: e.to_string() };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() == 0 {
        return Ok(Bytes::new());
    }
    #[expect(unsafe_code, reason = "mapping a file has no safe form")]
    // SAFETY: files of a block are immutable once visible; whoever truncates one under a reader breaks the
    // bucket's contract. The map outlives every slice, as `Bytes` owns it.
    let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
    Ok(Bytes::from_owner(map))
}
