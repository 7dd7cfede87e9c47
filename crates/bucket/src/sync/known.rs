//! What is known of the bucket: what is listed, and what was read of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use block::meta::{BlockMeta, DeletionMark, NoCompactMark, NoDownsampleMark};
use ulid::Ulid;

use super::{Broken, Partial, Snapshot, SyncedBlock};
use crate::bucket::{BlockObjects, Listed};
use crate::read::{parse_meta, renamed};
use crate::{BlockFile, Error};

/// Cloning copies references, not descriptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) blocks: BTreeMap<Ulid, Arc<BlockObjects>>,
    /// With the object as it was listed when it was read.
    pub(crate) parsed: HashMap<(Ulid, BlockFile), (Listed, Parsed)>,
}

/// An object of interest, read.
#[derive(Clone, Debug)]
pub(crate) enum Parsed {
    Meta(Arc<BlockMeta>),
    Deletion(Arc<DeletionMark>),
    NoCompact(Arc<NoCompactMark>),
    NoDownsample(Arc<NoDownsampleMark>),
    Corrupt(block::Corrupt),
}

/// The objects a sync reads.
pub(crate) const READ: [BlockFile; 4] =
    [BlockFile::Meta, BlockFile::DeletionMark, BlockFile::NoCompactMark, BlockFile::NoDownsampleMark];

impl Known {
    /// Takes over what a listing of the blocks from `first` on found. Whether anything changed.
    pub(crate) fn listed(&mut self, first: Ulid, found: BTreeMap<Ulid, BlockObjects>) -> bool {
        let mut before = self.blocks.split_off(&first);
        let mut changed = false;
        for (block, objects) in found {
            let objects = match before.remove(&block) {
                Some(same) if *same == objects => same,
                _ => {
                    changed = true;
                    Arc::new(objects)
                }
            };
            self.blocks.insert(block, objects);
        }
        changed || !before.is_empty()
    }

    /// Takes over another listing, and whatever was read by it that is not read here.
    pub(crate) fn adopt(&mut self, other: Self) {
        self.blocks = other.blocks;
        for (key, (seen, parsed)) in other.parsed {
            match self.parsed.get(&key) {
                Some((same, _)) if *same == seen => {}
                _ => {
                    self.parsed.insert(key, (seen, parsed));
                }
            }
        }
    }

    /// What is to be read; what was read of objects that changed or are gone is forgotten.
    pub(super) fn unread(&mut self) -> Vec<(Ulid, BlockFile, Listed)> {
        let Self { blocks, parsed } = self;
        parsed.retain(|(block, file), (seen, _)| {
            blocks.get(block).and_then(|objects| objects.get(&file.rel_path())) == Some(&*seen)
        });
        let all = blocks.iter().flat_map(|(block, objects)| {
            READ.iter().filter_map(|file| Some((*block, *file, objects.get(&file.rel_path())?)))
        });
        let unread = all.filter(|(block, file, _)| !parsed.contains_key(&(*block, *file)));
        unread.map(|(block, file, seen)| (block, file, seen.clone())).collect()
    }

    pub(super) fn collect(&self, snapshot: &mut Snapshot) {
        for (&block, objects) in &self.blocks {
            let newest_ms = newest(Some(objects));
            let mut meta = None;
            for file in READ {
                match self.parsed.get(&(block, file)).map(|(_, parsed)| parsed) {
                    None => {}
                    Some(Parsed::Meta(found)) => meta = Some(Arc::clone(found)),
                    Some(Parsed::Deletion(mark)) => {
                        snapshot.deletion_marks.insert(block, Arc::clone(mark));
                    }
                    Some(Parsed::NoCompact(mark)) => {
                        snapshot.no_compact_marks.insert(block, Arc::clone(mark));
                    }
                    Some(Parsed::NoDownsample(mark)) => {
                        snapshot.no_downsample_marks.insert(block, Arc::clone(mark));
                    }
                    Some(Parsed::Corrupt(corrupt)) => {
                        let error = Error::Corrupt(corrupt.clone());
                        snapshot.corrupt.push(Broken { block, error, newest_ms });
                    }
                }
            }
            if let Some(meta) = meta {
                snapshot.blocks.insert(block, SyncedBlock { meta, objects: Arc::clone(objects) });
            } else if !objects.contains_key(&BlockFile::Meta.rel_path()) {
                snapshot.partial.insert(block, Partial { newest_ms });
            }
        }
    }
}

impl Parsed {
    pub(super) fn read(block: Ulid, file: BlockFile, bytes: &[u8]) -> Self {
        let parsed = match file {
            BlockFile::DeletionMark => DeletionMark::parse(bytes).map(|m| Self::Deletion(Arc::new(m))),
            BlockFile::NoCompactMark => NoCompactMark::parse(bytes).map(|m| Self::NoCompact(Arc::new(m))),
            BlockFile::NoDownsampleMark => NoDownsampleMark::parse(bytes).map(|m| Self::NoDownsample(Arc::new(m))),
            BlockFile::Meta | BlockFile::Index | BlockFile::Chunks(_) => match parse_meta(block, bytes) {
                Ok(meta) => return Self::Meta(Arc::new(meta)),
                Err(Error::Corrupt(corrupt)) => return Self::corrupt(block, file, corrupt),
                Err(e) => return Self::corrupt(block, file, block::Corrupt::new(0, e.to_string())),
            },
        };
        parsed.unwrap_or_else(|corrupt| Self::corrupt(block, file, renamed(corrupt, block, file)))
    }

    /// Said once, when it is first read.
    fn corrupt(block: Ulid, file: BlockFile, corrupt: block::Corrupt) -> Self {
        tracing::warn!(%block, %file, error = %corrupt, "part of a block's description is corrupt; the block is left out");
        Self::Corrupt(corrupt)
    }
}

/// When the newest of a block's objects was written, Unix milliseconds.
pub(super) fn newest(objects: Option<&BlockObjects>) -> i64 {
    objects.into_iter().flatten().map(|(_, object)| object.modified_ms).max().unwrap_or(i64::MIN)
}
