//! Which blocks there are: from the bucket index, a local copy of what was known, and listings.

use std::path::Path as FsPath;
use std::sync::atomic::Ordering;
use std::time::Duration;

use block::meta::ulid_time_ms;
use ulid::Ulid;

use super::{Discovery, Known, MetaSync};
use crate::index::{self, BucketIndex, IndexRead};
use crate::{Error, Result};

/// How long an upload may take from the making of its id until it is visible, to be found without a
/// listing of everything.
const TAIL_MS: i64 = 24 * 3_600_000;

/// An index in which nothing changed is written again after so long, to show that it is current.
const REWRITE_MS: i64 = 30 * 60_000;

/// What is known between syncs.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) known: Known,
    /// Something differs from what the local copy says.
    pub(super) changed: bool,
    /// When everything was last listed, here or by who wrote the index, Unix milliseconds.
    listed_ms: Option<i64>,
    /// When everything is to be listed again, Unix milliseconds; `None` before the first look.
    full_at_ms: Option<i64>,
    /// The version of the bucket index last read, and whether it was good.
    e_tag: Option<String>,
    index_is_good: bool,
    copy_is_read: bool,
    /// Fingerprint and time of the index last written.
    written: Option<(u32, i64)>,
}

impl MetaSync {
    /// Brings the list of blocks up to date.
    pub(super) async fn discover(&self, state: &mut State, now_ms: i64) -> Result<()> {
        let (tail, full_every) = match self.options.discovery {
            Discovery::Listing => (None, Duration::MAX),
            Discovery::Index { full_every } => (self.read_index(state, now_ms, full_every).await, full_every),
        };
        let suspicious = self.suspicious.swap(false, Ordering::Relaxed) | self.bucket.missed(true);
        let listed = match tail.filter(|_| !suspicious) {
            Some(first) => self.bucket.list_from(first).await.map(|found| (first, found)),
            None => self.bucket.list_all().await.map(|found| (Ulid::nil(), found)),
        };
        let (first, found) = listed.inspect_err(|_| {
            self.suspicious.fetch_or(suspicious, Ordering::Relaxed);
        })?;
        state.changed |= state.known.listed(first, found);
        if first == Ulid::nil() {
            self.metrics.full_listings.inc();
            state.listed_ms = Some(now_ms);
            state.full_at_ms = Some(now_ms.saturating_add(millis(full_every)));
        }
        Ok(())
    }

    /// Looks for a new bucket index. The first id that is to be listed, where that is enough.
    async fn read_index(&self, state: &mut State, now_ms: i64, full_every: Duration) -> Option<Ulid> {
        match self.bucket.read_bucket_index(state.e_tag.as_deref()).await {
            Ok(IndexRead::Unchanged) => {}
            Ok(IndexRead::Absent) => (state.e_tag, state.index_is_good) = (None, false),
            Ok(IndexRead::New { bytes, e_tag }) => {
                state.e_tag = e_tag;
                let decoded = blocking(move || index::decode(&bytes)).await;
                state.index_is_good = decoded.is_ok();
                match decoded {
                    Ok(index) => state.adopt(index, now_ms, full_every),
                    Err(error) => {
                        tracing::warn!(%error, "the bucket index cannot be used; all blocks are listed instead");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "could not read the bucket index"),
        }
        let usable = state.index_is_good && state.full_at_ms.is_some_and(|at| now_ms < at);
        usable.then(|| state.tail(now_ms))
    }

    /// Writes the bucket index anew, where it would say something new or has not been written for half an
    /// hour; never in a bucket of plain files, which are as quickly listed. Only one process may do so: the
    /// compactor. Whether it was written.
    ///
    /// # Errors
    /// When it cannot be written. Readers then find by listings what they would find in it.
    pub async fn write_index(&self, now_ms: i64) -> Result<bool> {
        let mut state = self.state.lock().await;
        let Some(listed_ms) = state.listed_ms.filter(|_| !self.bucket.is_local()) else { return Ok(false) };
        let known = state.known.clone();
        let encoded = blocking(move || index::encode(&known, listed_ms, None)).await;
        let encoded = encoded.map_err(|e| Error::Config(format!("the bucket index cannot be encoded: {e}")))?;
        let current = state.written.is_some_and(|(fingerprint, at_ms)| {
            fingerprint == encoded.fingerprint && (0..REWRITE_MS).contains(&(now_ms - at_ms))
        });
        if current {
            return Ok(false);
        }
        self.bucket.write_bucket_index(encoded.bytes).await?;
        state.written = Some((encoded.fingerprint, now_ms));
        Ok(true)
    }

    /// Reads the local copy, once.
    pub(super) async fn load_copy(&self, state: &mut State, now_ms: i64) {
        let Some(path) = self.options.copy.clone().filter(|_| !state.copy_is_read) else { return };
        state.copy_is_read = true;
        let full_every = match self.options.discovery {
            Discovery::Index { full_every } => full_every,
            Discovery::Listing => Duration::ZERO,
        };
        let read = blocking(move || match std::fs::read(&path) {
            Ok(bytes) => index::decode(&bytes).map(Some),
            Err(_) => Ok(None),
        });
        match read.await {
            Ok(None) => {}
            Ok(Some(copy)) if copy.head.bucket.as_deref() != Some(&*self.bucket.identity()) => {
                tracing::info!("the local copy of the block list is another bucket's; not used");
            }
            Ok(Some(copy)) => {
                state.e_tag.clone_from(&copy.head.e_tag);
                state.index_is_good = state.e_tag.is_some();
                state.adopt(copy, now_ms, full_every);
            }
            Err(error) => tracing::warn!(%error, "the local copy of the block list is damaged; built anew"),
        }
    }

    /// Writes the local copy, where something changed.
    pub(super) async fn keep_copy(&self, state: &mut State) {
        if !std::mem::take(&mut state.changed) {
            return;
        }
        let (Some(path), Some(listed_ms)) = (self.options.copy.clone(), state.listed_ms) else { return };
        let (known, e_tag) = (state.known.clone(), state.e_tag.clone().filter(|_| state.index_is_good));
        let of = index::CopyOf { e_tag, bucket: self.bucket.identity() };
        let written = blocking(move || {
            let encoded = index::encode(&known, listed_ms, Some(of))?;
            replace_file(&path, &encoded.bytes)
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "could not write the local copy of the block list");
        }
    }
}

impl State {
    /// Goes on from what an index says, unless what is known is newer.
    fn adopt(&mut self, index: BucketIndex, now_ms: i64, full_every: Duration) {
        let listed_ms = index.head.listed_ms;
        if self.listed_ms.is_some_and(|ours| listed_ms <= ours) {
            return;
        }
        self.known.adopt(index.known);
        self.changed = true;
        self.listed_ms = Some(listed_ms);
        // From an old one a start is still quick; the next look is at everything.
        let due = listed_ms.saturating_add(millis(full_every)).max(now_ms + 1);
        self.full_at_ms.get_or_insert(due);
    }

    /// The newest id known less a day. Ids from the future do not count: they would hide all others.
    fn tail(&self, now_ms: i64) -> Ulid {
        let newest = self.known.blocks.last_key_value().map_or(0, |(id, _)| ulid_time_ms(*id));
        Ulid::from_parts(u64::try_from(newest.min(now_ms) - TAIL_MS).unwrap_or(0), 0)
    }
}

/// Off the threads that wait for I/O.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panicked) => std::panic::resume_unwind(panicked),
            // The runtime is going away, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The file is there whole or as it was.
fn replace_file(path: &FsPath, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let aside = path.with_extension("tmp");
    std::fs::write(&aside, bytes)?;
    std::fs::rename(aside, path)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
