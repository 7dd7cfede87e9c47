use std::sync::Arc;

use block::{BlockMeta, Ulid};
use bucket::{BLOCK_ID, BlockFile, SyncedBlock};
use model::{Labels, Matcher, TimeRange};
use request::Missing;

/// A block of the bucket as the gateway sees it; its files are opened elsewhere.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: Ulid,
    pub(crate) meta: Arc<BlockMeta>,
    /// External labels.
    pub(crate) labels: Labels,
    pub(crate) resolution_ms: i64,
    /// Bytes of the index, as listed.
    pub(crate) index_bytes: u64,
    /// Bytes of the segment files, in order.
    pub(crate) segment_bytes: Vec<u64>,
}

impl Block {
    pub(crate) fn new(id: Ulid, synced: &SyncedBlock) -> Self {
        Self {
            id,
            meta: Arc::clone(&synced.meta),
            labels: synced.meta.labels(),
            resolution_ms: synced.meta.resolution_ms(),
            index_bytes: synced.size(BlockFile::Index).unwrap_or(0),
            segment_bytes: synced.chunk_files().into_iter().map(|(_, bytes)| bytes).collect(),
        }
    }

    /// Whether nothing has changed since.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.index_bytes == other.index_bytes
            && self.segment_bytes == other.segment_bytes
            && (Arc::ptr_eq(&self.meta, &other.meta) || self.meta == other.meta)
    }

    /// Whether all of `matchers` hold: of external labels, and of the block's id as `__block_id`.
    pub(crate) fn has(&self, matchers: &[Matcher]) -> bool {
        matchers.iter().all(|matcher| match self.labels.get(&matcher.name) {
            None if &*matcher.name == BLOCK_ID => matcher.matches(&self.id.to_string()),
            value => matcher.matches(value.unwrap_or("")),
        })
    }

    /// The half-open range of the meta overlaps the closed one asked for.
    pub(crate) fn overlaps(&self, range: TimeRange) -> bool {
        self.meta.min_time <= range.max && range.min < self.meta.max_time
    }

    /// What an answer lacks without this block.
    pub(crate) fn missing(&self, range: TimeRange, store: &str, cause: &str) -> Missing {
        let lacking = self.meta.time_range().intersection(range);
        Missing {
            labels: self.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            min_time: lacking.min,
            max_time: lacking.max,
            store: store.to_owned(),
            cause: format!("block {}: {cause}", self.id),
        }
    }
}

/// What is left of matchers once external labels are known: `None` where one of these does not match.
pub(crate) fn without_external(matchers: &[Matcher], external: &Labels) -> Option<Vec<Matcher>> {
    let mut left = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match external.get(&matcher.name) {
            None => left.push(matcher.clone()),
            Some(value) if matcher.matches(value) => {}
            Some(_) => return None,
        }
    }
    Some(left)
}
