//! What the bucket holds right now: one listing, and a read for each meta and mark not seen before.

mod filter;
mod metrics;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use block::meta::{BlockMeta, DeletionMark, NoCompactMark, NoDownsampleMark};
use futures::{StreamExt, stream};
use model::TimeRange;
use parking_lot::Mutex;
use ulid::Ulid;

use crate::bucket::{BlockObjects, Listed};
use crate::read::{parse_meta, renamed};
use crate::{BlockFile, Bucket, Error, Result};

pub use metrics::SyncMetrics;

/// What to read and which blocks to leave out.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncOptions {
    /// Reads side by side.
    pub concurrency: usize,
    /// Younger blocks are left out, but for those that compaction or repair wrote.
    pub consistency_delay: Duration,
    /// Blocks marked for deletion longer ago than this are left out; `None` keeps them all.
    pub ignore_deletion_marks_after: Option<Duration>,
    /// Leaves out blocks whose sources all are in another block of their group.
    pub deduplicate: bool,
    /// Labels to take off every block's external labels.
    pub replica_labels: Vec<String>,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            concurrency: 32,
            consistency_delay: Duration::ZERO,
            ignore_deletion_marks_after: None,
            deduplicate: true,
            replica_labels: Vec::new(),
        }
    }
}

/// A visible block.
#[derive(Clone, Debug)]
pub struct SyncedBlock {
    pub meta: Arc<BlockMeta>,
    /// The block's objects by name within its folder, with their sizes.
    pub objects: Arc<BlockObjects>,
}

impl SyncedBlock {
    /// Bytes of one of the block's objects; `None` where the listing had none.
    #[must_use]
    pub fn size(&self, file: BlockFile) -> Option<u64> {
        self.objects.get(&file.rel_path()).map(|object| object.size)
    }

    /// The chunk segment files, ascending, with their bytes.
    #[must_use]
    pub fn chunk_files(&self) -> Vec<(BlockFile, u64)> {
        let files = self.objects.iter().filter_map(|(name, object)| Some((BlockFile::parse(name)?, object.size)));
        let mut files: Vec<_> = files.filter(|(file, _)| matches!(file, BlockFile::Chunks(_))).collect();
        files.sort_unstable();
        files
    }
}

/// A folder without a `meta.json`: an upload under way or cut short, or a deletion cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// When its newest object was written, Unix milliseconds.
    pub newest_ms: i64,
}

/// A block that cannot be read.
#[derive(Debug)]
pub struct Broken {
    pub block: Ulid,
    pub error: Error,
    /// When its newest object was written, Unix milliseconds.
    pub newest_ms: i64,
}

/// The bucket at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The visible blocks that no filter left out.
    pub blocks: BTreeMap<Ulid, SyncedBlock>,
    /// All deletion marks, those of blocks left out included.
    pub deletion_marks: BTreeMap<Ulid, Arc<DeletionMark>>,
    pub no_compact_marks: BTreeMap<Ulid, Arc<NoCompactMark>>,
    pub no_downsample_marks: BTreeMap<Ulid, Arc<NoDownsampleMark>>,
    /// Blocks left out because another one covers them.
    pub duplicates: BTreeSet<Ulid>,
    pub partial: BTreeMap<Ulid, Partial>,
    /// Metas that are not metas: they never stop other blocks.
    pub corrupt: Vec<Broken>,
    /// Metas and marks that could not be read this time. While there are any, what is missing is
    /// unknown, and nothing should be concluded from absence.
    pub failed: Vec<Broken>,
}

/// Keeps metas and marks between syncs, so that only what is new is read.
#[derive(Debug)]
pub struct MetaSync {
    bucket: Bucket,
    options: SyncOptions,
    metrics: SyncMetrics,
    cache: Mutex<HashMap<(Ulid, BlockFile), (Listed, Parsed)>>,
}

/// An object of interest, read.
#[derive(Clone, Debug)]
enum Parsed {
    Meta(Arc<BlockMeta>),
    Deletion(Arc<DeletionMark>),
    NoCompact(Arc<NoCompactMark>),
    NoDownsample(Arc<NoDownsampleMark>),
    Corrupt(block::Corrupt),
}

/// The objects a sync reads.
const READ: [BlockFile; 4] =
    [BlockFile::Meta, BlockFile::DeletionMark, BlockFile::NoCompactMark, BlockFile::NoDownsampleMark];

impl MetaSync {
    #[must_use]
    pub fn new(bucket: Bucket, options: SyncOptions) -> Self {
        Self { bucket, options, metrics: SyncMetrics::default(), cache: Mutex::default() }
    }

    /// Counts into `metrics`, registered by the caller.
    #[must_use]
    pub fn with_metrics(mut self, metrics: SyncMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Looks at the bucket. `now_ms` is for the delays; blocks without a sample in `range` are left out.
    ///
    /// # Errors
    /// When the bucket cannot be listed. Single blocks never fail the whole: see [`Snapshot::corrupt`]
    /// and [`Snapshot::failed`].
    pub async fn sync(&self, now_ms: i64, range: TimeRange) -> Result<Snapshot> {
        let start = std::time::Instant::now();
        let snapshot = self.look(now_ms, range).await;
        self.metrics.synced(start.elapsed(), snapshot.as_ref());
        snapshot
    }

    async fn look(&self, now_ms: i64, range: TimeRange) -> Result<Snapshot> {
        let listing = self.bucket.list_all().await?;
        let mut snapshot = Snapshot::default();
        self.refresh(&listing, &mut snapshot).await;
        self.collect(listing, &mut snapshot);
        filter::apply(&self.options, now_ms, range, &mut snapshot, &self.metrics);
        Ok(snapshot)
    }

    /// Reads what the listing shows as new or changed, and forgets what is gone.
    async fn refresh(&self, listing: &BTreeMap<Ulid, BlockObjects>, snapshot: &mut Snapshot) {
        let wanted: Vec<(Ulid, BlockFile, Listed)> = {
            let mut cache = self.cache.lock();
            cache.retain(|(block, file), (seen, _)| {
                listing.get(block).and_then(|objects| objects.get(&file.rel_path())) == Some(&*seen)
            });
            let all = listing.iter().flat_map(|(block, objects)| {
                READ.iter().filter_map(|file| Some((*block, *file, objects.get(&file.rel_path())?.clone())))
            });
            all.filter(|(block, file, _)| !cache.contains_key(&(*block, *file))).collect()
        };
        let reads = stream::iter(wanted).map(|(block, file, seen)| async move {
            (block, file, seen, self.bucket.read_if_exists(block, file).await)
        });
        let mut reads = reads.buffer_unordered(self.options.concurrency.max(1));
        while let Some((block, file, seen, read)) = reads.next().await {
            match read {
                Ok(Some(bytes)) => {
                    self.cache.lock().insert((block, file), (seen, Parsed::read(block, file, &bytes)));
                }
                // Deleted since the listing.
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%block, %file, %error, "could not read part of a block's description");
                    let newest_ms = newest(listing.get(&block));
                    snapshot.failed.push(Broken { block, error, newest_ms });
                }
            }
        }
    }

    fn collect(&self, listing: BTreeMap<Ulid, BlockObjects>, snapshot: &mut Snapshot) {
        let cache = self.cache.lock();
        for (block, objects) in listing {
            let newest_ms = newest(Some(&objects));
            let mut meta = None;
            for file in READ {
                match cache.get(&(block, file)).map(|(_, parsed)| parsed) {
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
                snapshot.blocks.insert(block, SyncedBlock { meta, objects: Arc::new(objects) });
            } else if !objects.contains_key(&BlockFile::Meta.rel_path()) {
                snapshot.partial.insert(block, Partial { newest_ms });
            }
        }
    }
}

impl Parsed {
    fn read(block: Ulid, file: BlockFile, bytes: &[u8]) -> Self {
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

fn newest(objects: Option<&BlockObjects>) -> i64 {
    objects.into_iter().flatten().map(|(_, object)| object.modified_ms).max().unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests;
