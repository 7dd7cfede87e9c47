//! Parts of indexes that are read by ranges, kept in the index cache.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use block::Ulid;
use bucket::{BlockFile, Bucket};
use bytes::{Bytes, BytesMut};
use cache::Cache;
use hashbrown::HashMap;
use parking_lot::Mutex;
use store::Result;

use crate::block::Block;
use crate::fetched::Fetched;
use crate::files::unavailable;

/// Indexes are kept in parts of so many bytes.
const PART_BYTES: u64 = 32 << 10;

/// How long parts are kept where nothing else is said.
const TTL: Duration = Duration::from_secs(86_400);

/// Reads through the cache. What turns out to be damaged is not looked for again.
#[derive(Debug)]
pub(crate) struct PartCache {
    cache: Cache,
    ttl: Duration,
    /// Blocks whose parts were once damaged, and how they are called since.
    renamed: Mutex<HashMap<Ulid, u64>>,
    names: AtomicU64,
}

impl PartCache {
    pub(crate) fn new(cache: Cache, ttl: Duration) -> Self {
        Self { cache, ttl, renamed: Mutex::default(), names: AtomicU64::new(0) }
    }

    /// In memory, within so many bytes.
    pub(crate) fn in_memory(bytes_max: u64) -> Option<Self> {
        let (cache, _) = Cache::new(&cache::Config::Memory(cache::MemoryConfig::of(bytes_max))).ok()?;
        Some(Self::new(cache, TTL))
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Leaves what there is of a block alone from now on.
    pub(crate) fn distrust(&self, block: Ulid) {
        let name = self.names.fetch_add(1, Ordering::Relaxed) + 1;
        self.renamed.lock().insert(block, name);
    }

    /// The block is gone.
    pub(crate) fn removed(&self, block: Ulid) {
        self.renamed.lock().remove(&block);
    }

    /// The bytes of each range, and what of it the bucket gave. What the cache lacks is read in one round.
    pub(crate) async fn read(
        &self,
        bucket: &Bucket,
        block: &Block,
        ranges: &[Range<u64>],
        fetched: &Fetched,
    ) -> Result<(Vec<Bytes>, Got)> {
        let touched = ranges.iter().flat_map(numbers_of);
        let numbers: Vec<u64> = touched.collect::<BTreeSet<_>>().into_iter().collect();
        let suffix = self.renamed.lock().get(&block.id).map_or_else(String::new, |name| format!(":{name}"));
        let keys: Vec<String> = numbers.iter().map(|n| format!("IP:{}:{n}{suffix}", block.id)).collect();
        let found = self.cache.get(&keys).await;
        let range = |n: u64| n * PART_BYTES..((n + 1) * PART_BYTES).min(block.index_bytes);
        let (mut parts, mut missing) = (HashMap::with_capacity(numbers.len()), Vec::new());
        for ((n, key), part) in numbers.into_iter().zip(keys).zip(found) {
            // A cache is not trusted.
            match part.filter(|part| part.len() as u64 == range(n).end - range(n).start) {
                Some(part) => _ = parts.insert(n, part),
                None => missing.push((n, key)),
            }
        }
        let wanted: Vec<_> = missing.iter().map(|&(n, _)| range(n)).collect();
        let read = read(bucket, block, &wanted, fetched).await?;
        let lacked = |range: &&Range<u64>| {
            let numbers = numbers_of(range);
            let next = missing.partition_point(|(n, _)| *n < numbers.start);
            missing.get(next).is_some_and(|(n, _)| *n < numbers.end)
        };
        let got = Got {
            ranges: ranges.iter().filter(lacked).count() as u64,
            bytes: read.iter().map(|part| part.len() as u64).sum(),
        };
        for ((n, key), part) in missing.into_iter().zip(read) {
            self.cache.put(key, part.clone(), self.ttl);
            parts.insert(n, part);
        }
        Ok((ranges.iter().map(|range| join(range, &parts)).collect(), got))
    }
}

/// What the bucket gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Got {
    /// Ranges of which it gave something.
    pub(crate) ranges: u64,
    /// Of whole parts.
    pub(crate) bytes: u64,
}

/// The parts that a range lies in.
fn numbers_of(range: &Range<u64>) -> Range<u64> {
    range.start / PART_BYTES..range.end.div_ceil(PART_BYTES)
}

/// The ranges from the bucket, in one round.
pub(crate) async fn read(
    bucket: &Bucket,
    block: &Block,
    ranges: &[Range<u64>],
    fetched: &Fetched,
) -> Result<Vec<Bytes>> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    fetched.check(ranges.iter().map(|r| r.end - r.start).sum())?;
    let read = bucket.read_ranges(block.id, BlockFile::Index, ranges, bucket.default_gap()).await;
    read.map_err(|e| unavailable(&e))
}

/// A range out of the parts that it lies in, as bytes of its own: it is held longer than they are.
fn join(range: &Range<u64>, parts: &HashMap<u64, Bytes>) -> Bytes {
    let mut joined = BytesMut::with_capacity((range.end - range.start) as usize);
    for n in numbers_of(range) {
        let part: &[u8] = parts.get(&n).map_or(&[], |part| part);
        let at = |offset: u64| (offset.saturating_sub(n * PART_BYTES) as usize).min(part.len());
        joined.extend_from_slice(&part[at(range.start)..at(range.end)]);
    }
    joined.freeze()
}

#[cfg(test)]
mod tests;
