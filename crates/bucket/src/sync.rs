//! What the bucket holds right now: a listing, of everything or of what is newer than the bucket index,
//! and a read for each meta and mark not seen before.

mod discover;
mod filter;
mod known;
mod metrics;
mod selector;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use block::meta::{BlockMeta, DeletionMark, NoCompactMark, NoDownsampleMark};
use futures::{StreamExt, stream};
use model::TimeRange;
use tokio::sync::Mutex;
use ulid::Ulid;

use crate::bucket::{BlockObjects, Listed};
use crate::{BlockFile, Bucket, Error, Result};
use discover::State;

pub(crate) use known::{Known, Parsed, READ};
pub use metrics::SyncMetrics;
pub use selector::{BLOCK_ID, Selector, SelectorArgs};

/// How blocks are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// By a listing of everything, each time.
    #[default]
    Listing,
    /// From the bucket index, and a listing of what is newer than its newest block less a day. Late
    /// uploads, marks and deletions that no compactor of ours has seen are found by a listing of
    /// everything, every `full_every`. Without an index, or with a damaged one: as [`Self::Listing`].
    Index { full_every: Duration },
}

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
    /// Chooses blocks by their external labels.
    pub selector: Selector,
    pub discovery: Discovery,
    /// A local file that keeps what is known of the bucket over restarts, so that only what is new is
    /// read; `None` keeps it in memory alone. Damaged or lost, it is built anew.
    pub copy: Option<PathBuf>,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            concurrency: 32,
            consistency_delay: Duration::ZERO,
            ignore_deletion_marks_after: None,
            deduplicate: true,
            replica_labels: Vec::new(),
            selector: Selector::default(),
            discovery: Discovery::Listing,
            copy: None,
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
    state: Mutex<State>,
    suspicious: AtomicBool,
}

impl MetaSync {
    #[must_use]
    pub fn new(bucket: Bucket, mut options: SyncOptions) -> Self {
        if bucket.is_local() {
            // Listing is cheap, and so is reading: no copy, no index.
            (options.copy, options.discovery) = (None, Discovery::Listing);
        }
        let (metrics, state) = (SyncMetrics::default(), Mutex::default());
        Self { bucket, options, metrics, state, suspicious: AtomicBool::new(false) }
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

    /// Something was found to be other than the last sync said: the next one lists everything.
    pub fn suspect(&self) {
        self.suspicious.store(true, Ordering::Relaxed);
    }

    /// Whether something differed from what the last sync said ([`Self::suspect`], or a part of a block was
    /// not there when it was read): a reason not to wait for the next one.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        self.suspicious.load(Ordering::Relaxed) || self.bucket.missed(false)
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
        let mut state = self.state.lock().await;
        self.load_copy(&mut state, now_ms).await;
        self.discover(&mut state, now_ms).await?;
        let mut snapshot = Snapshot::default();
        self.refresh(&mut state, &mut snapshot).await;
        self.keep_copy(&mut state).await;
        state.known.collect(&mut snapshot);
        drop(state);
        filter::apply(&self.options, now_ms, range, &mut snapshot, &self.metrics);
        Ok(snapshot)
    }

    /// Reads what the listing shows as new or changed, and forgets what is gone.
    async fn refresh(&self, state: &mut State, snapshot: &mut Snapshot) {
        let wanted: Vec<(Ulid, BlockFile, Listed)> = state.known.unread();
        let reads = stream::iter(wanted).map(|(block, file, seen)| async move {
            (block, file, seen, self.bucket.read_if_exists(block, file).await)
        });
        let mut reads = reads.buffer_unordered(self.options.concurrency.max(1));
        while let Some((block, file, seen, read)) = reads.next().await {
            match read {
                Ok(Some(bytes)) => {
                    state.changed = true;
                    state.known.parsed.insert((block, file), (seen, Parsed::read(block, file, &bytes)));
                }
                // Deleted since the listing.
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%block, %file, %error, "could not read part of a block's description");
                    let newest_ms = known::newest(state.known.blocks.get(&block).map(|objects| &**objects));
                    snapshot.failed.push(Broken { block, error, newest_ms });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
