use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    Ok(MappedFile::open(path)?.bytes())
}

/// A file mapped into memory, whose pages can be given back to the system.
#[derive(Clone, Debug)]
pub struct MappedFile(Option<Arc<Mmap>>);

impl MappedFile {
    /// # Errors
    /// When the file cannot be opened: it counts as damaged at offset 0.
    pub fn open(path: &Path) -> Result<Self, Corrupt> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let unreadable = |e: std::io::Error| Corrupt { file: name.clone(), offset: 0, what: e.to_string() };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() == 0 {
            return Ok(Self(None));
        }
        #[expect(unsafe_code, reason = "mapping a file has no safe form")]
        // SAFETY: files of a block are immutable once visible; whoever truncates one under a reader breaks the
        // bucket's contract. The map outlives every slice, as `Bytes` owns it.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        Ok(Self(Some(Arc::new(map))))
    }

    /// The file's bytes; slices of them keep the map alive.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match &self.0 {
            Some(map) => Bytes::from_owner(Shared(Arc::clone(map))),
            None => Bytes::new(),
        }
    }

    /// Whether nothing else holds the map any more.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.0.as_ref().is_none_or(|map| Arc::strong_count(map) == 1)
    }

    /// Gives the pages that lie in memory back to the system. Whoever reads on gets them again, from the
    /// system's cache or the disk.
    pub fn give_back(&self) {
        let Some(map) = &self.0 else { return };
        #[expect(unsafe_code, reason = "advice that drops pages has no safe form")]
        // SAFETY: the map is shared, read-only and of a file that does not change: a dropped page is read again
        // with the same bytes.
        let given = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        // Where the system does not take the advice the pages stay, which is only dearer.
        let _kept = given;
    }
}

/// What [`Bytes`] owns of a map.
struct Shared(Arc<Mmap>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
