//! Which blocks to merge next. Pure: from metas to a list of blocks.
//!
//! Source of the rules: Prometheus' leveled compaction as Thanos applies it to a bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use block::{BlockMeta, Ulid};
use model::Labels;

const HOUR_MS: i64 = 3_600_000;

/// 1 h (a head's block, never a target), 2 h, 8 h, 2 d, 14 d.
pub const DEFAULT_RANGES_MS: [i64; 5] = [HOUR_MS, 2 * HOUR_MS, 8 * HOUR_MS, 48 * HOUR_MS, 336 * HOUR_MS];

/// What blocks must share to be merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// Milliseconds; 0 is raw.
    pub resolution_ms: i64,
    /// External labels.
    pub labels: Labels,
}

impl GroupKey {
    #[must_use]
    pub fn of(meta: &BlockMeta) -> Self {
        Self { resolution_ms: meta.resolution_ms(), labels: meta.labels() }
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.resolution_ms, self.labels)
    }
}

/// The blocks by group, each group's by time.
#[must_use]
pub fn groups(metas: impl IntoIterator<Item = Arc<BlockMeta>>) -> BTreeMap<GroupKey, Vec<Arc<BlockMeta>>> {
    let mut groups: BTreeMap<GroupKey, Vec<Arc<BlockMeta>>> = BTreeMap::new();
    for meta in metas {
        groups.entry(GroupKey::of(&meta)).or_default().push(meta);
    }
    for blocks in groups.values_mut() {
        sort(blocks);
    }
    groups
}

/// By start, then end, then id: every plan is a function of the blocks alone.
pub(crate) fn sort(blocks: &mut [Arc<BlockMeta>]) {
    blocks.sort_by_key(|b| (b.min_time, b.max_time, b.ulid));
}

/// The blocks of one group (sorted by time) to merge next; empty when nothing is due.
///
/// Overlapping blocks come first. Otherwise the smallest of `ranges` that has a full, aligned stretch of
/// at least two blocks, oldest first. The newest block is left alone, so that there is time to step in
/// after an upload. Blocks in `no_compact` are left out and split a stretch.
#[must_use]
pub fn plan(blocks: &[Arc<BlockMeta>], no_compact: &BTreeSet<Ulid>, ranges: &[i64]) -> Vec<Arc<BlockMeta>> {
    let free: Vec<_> = blocks.iter().filter(|b| !no_compact.contains(&b.ulid)).cloned().collect();
    let overlap = overlapping(&free);
    if !overlap.is_empty() {
        return overlap;
    }
    let Some((_newest, older)) = blocks.split_last() else { return Vec::new() };
    select(ranges, no_compact, older)
}

/// The first run of blocks (sorted by time) of which each overlaps one before it.
#[must_use]
pub fn overlapping(blocks: &[Arc<BlockMeta>]) -> Vec<Arc<BlockMeta>> {
    let Some(first) = blocks.first() else { return Vec::new() };
    let mut end = first.max_time;
    let mut run: Vec<Arc<BlockMeta>> = Vec::new();
    for pair in blocks.windows(2) {
        let next = &pair[1];
        if next.min_time < end {
            if run.is_empty() {
                run.push(Arc::clone(&pair[0]));
            }
            run.push(Arc::clone(next));
        } else if !run.is_empty() {
            break;
        }
        end = end.max(next.max_time);
    }
    run
}

fn select(ranges: &[i64], no_compact: &BTreeSet<Ulid>, blocks: &[Arc<BlockMeta>]) -> Vec<Arc<BlockMeta>> {
    let Some(newest) = blocks.last() else { return Vec::new() };
    for &range in ranges.iter().skip(1) {
        for stretch in split_by_range(blocks, range) {
            let [first, .., last] = stretch else { continue };
            if stretch.iter().any(|b| b.compaction.failed) {
                continue;
            }
            // Not full, and another block could still come to fill it.
            if last.max_time - first.min_time != range && last.max_time > newest.min_time {
                continue;
            }
            let parts = stretch.split(|b| no_compact.contains(&b.ulid));
            if let Some(part) = parts.into_iter().find(|part| part.len() > 1) {
                return part.to_vec();
            }
        }
    }
    Vec::new()
}

/// Runs of blocks that lie within one aligned window of `range`. Blocks that lie in none are left out.
fn split_by_range(blocks: &[Arc<BlockMeta>], range: i64) -> Vec<&[Arc<BlockMeta>]> {
    let mut stretches = Vec::new();
    let mut rest = blocks;
    while let Some(first) = rest.first() {
        let end = first.min_time.div_euclid(range) * range + range;
        if first.max_time > end {
            rest = &rest[1..];
            continue;
        }
        let len = rest.iter().take_while(|b| b.max_time <= end).count();
        let (stretch, after) = rest.split_at(len);
        stretches.push(stretch);
        rest = after;
    }
    stretches
}

#[cfg(test)]
mod tests;
