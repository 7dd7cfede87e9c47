//! The names of objects in a bucket. Only this module spells them.
//!
//! ```text
//! <ulid>/meta.json               written last, deleted first: the block is visible while it is there
//! <ulid>/index
//! <ulid>/chunks/000001…
//! <ulid>/deletion-mark.json      deleted last
//! <ulid>/no-compact-mark.json
//! <ulid>/no-downsample-mark.json
//! esker/bucket-index             what the blocks' descriptions say, all in one; see docs/format/bucket-index.md
//! ```
//! Anything else in a bucket (`debug/`, other tools' folders) is not ours and is never touched.

use std::fmt;

use object_store::path::Path;
use ulid::Ulid;

/// The object that holds all blocks' descriptions. No block's folder, so other systems pass it over.
pub(crate) const BUCKET_INDEX: &str = "esker/bucket-index";

/// Names from here on cannot be blocks': an id's first character is at most `7`.
pub(crate) const AFTER_BLOCKS: &str = "8";

/// One of the objects of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockFile {
    Meta,
    Index,
    /// A chunk segment file, numbered from 1.
    Chunks(u32),
    DeletionMark,
    NoCompactMark,
    NoDownsampleMark,
}

impl BlockFile {
    /// The object's name within its block's folder, with `/` between parts.
    #[must_use]
    pub fn rel_path(self) -> String {
        self.to_string()
    }

    /// The object's name in the bucket.
    #[must_use]
    pub fn path(self, block: Ulid) -> Path {
        Path::from(format!("{block}/{self}"))
    }

    /// The reverse of [`Self::rel_path`]; `None` for names that are not part of a block.
    #[must_use]
    pub fn parse(rel_path: &str) -> Option<Self> {
        Some(match rel_path {
            "meta.json" => Self::Meta,
            "index" => Self::Index,
            "deletion-mark.json" => Self::DeletionMark,
            "no-compact-mark.json" => Self::NoCompactMark,
            "no-downsample-mark.json" => Self::NoDownsampleMark,
            _ => {
                let number = rel_path.strip_prefix("chunks/")?;
                let digits = number.len() >= 6 && number.bytes().all(|b| b.is_ascii_digit());
                Self::Chunks(number.parse().ok().filter(|n| digits && *n > 0)?)
            }
        })
    }
}

impl fmt::Display for BlockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta => f.write_str("meta.json"),
            Self::Index => f.write_str("index"),
            Self::Chunks(number) => write!(f, "chunks/{number:06}"),
            Self::DeletionMark => f.write_str("deletion-mark.json"),
            Self::NoCompactMark => f.write_str("no-compact-mark.json"),
            Self::NoDownsampleMark => f.write_str("no-downsample-mark.json"),
        }
    }
}

/// The block's folder.
pub(crate) fn folder(block: Ulid) -> Path {
    Path::from(block.to_string())
}

/// The block a name belongs to and the rest of the name; `None` for what is not in a block's folder.
pub(crate) fn split(path: &Path) -> Option<(Ulid, &str)> {
    let (first, rest) = path.as_ref().split_once('/')?;
    Some((block_id(first)?, rest))
}

/// A folder's name as a block's id: exactly the canonical form, so that ids map to one folder each.
pub(crate) fn block_id(name: &str) -> Option<Ulid> {
    let id = Ulid::from_string(name).ok()?;
    (id.to_string() == name).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        let files = [
            BlockFile::Meta,
            BlockFile::Index,
            BlockFile::Chunks(1),
            BlockFile::Chunks(1_234_567),
            BlockFile::DeletionMark,
            BlockFile::NoCompactMark,
            BlockFile::NoDownsampleMark,
        ];
        for file in files {
            assert_eq!(BlockFile::parse(&file.rel_path()), Some(file));
        }
        for other in ["", "chunks/", "chunks/1", "chunks/000000", "chunks/00000a", "chunks/000001/x", "meta.json.tmp"] {
            assert_eq!(BlockFile::parse(other), None, "{other}");
        }
    }

    #[test]
    fn foreign_names_are_not_blocks() {
        for name in ["debug/metas/x.json", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01arz3ndektsv4rrffq69g5fav/index", "a/b"] {
            assert_eq!(split(&Path::from(name)), None, "{name}");
        }
        let path = Path::from("01ARZ3NDEKTSV4RRFFQ69G5FAV/chunks/000001");
        let (id, rest) = split(&path).expect("a block's");
        assert_eq!((id.to_string().as_str(), rest), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "chunks/000001"));
    }
}
