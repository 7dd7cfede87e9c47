//! Which of the visible blocks to leave out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::meta::{BlockMeta, ulid_time_ms};
use model::TimeRange;
use ulid::Ulid;

use super::metrics::State;
use super::{Snapshot, SyncMetrics, SyncOptions};

/// Blocks that were written out of others are complete when they become visible.
const TRUSTED_SOURCES: [&str; 3] = ["compactor", "compactor.repair", "bucket.repair"];

/// Applies the filters in Thanos' order.
pub(super) fn apply(
    options: &SyncOptions,
    now_ms: i64,
    range: TimeRange,
    snapshot: &mut Snapshot,
    metrics: &SyncMetrics,
) {
    let count = |state, before: usize, after: usize| metrics.state(state, before - after);
    let blocks = &mut snapshot.blocks;

    let before = blocks.len();
    // As Thanos: a block's end, though it is exclusive, still counts as touching.
    blocks.retain(|_, b| b.meta.max_time >= range.min && b.meta.min_time <= range.max);
    count(State::TimeExcluded, before, blocks.len());

    let before = blocks.len();
    blocks.retain(|_, b| options.selector.chooses(&b.meta, &options.replica_labels));
    count(State::LabelExcluded, before, blocks.len());

    let before = blocks.len();
    let delay_ms = millis(options.consistency_delay);
    blocks.retain(|_, b| delay_ms == 0 || now_ms - visible_since_ms(&b.meta) >= delay_ms || trusted(&b.meta));
    count(State::TooFresh, before, blocks.len());

    let before = blocks.len();
    if let Some(delay) = options.ignore_deletion_marks_after {
        let marks = &snapshot.deletion_marks;
        blocks.retain(|id, _| {
            marks.get(id).is_none_or(|mark| now_ms - mark.deletion_time.saturating_mul(1000) <= millis(delay))
        });
    }
    count(State::MarkedForDeletion, before, blocks.len());

    if !options.replica_labels.is_empty() {
        for block in blocks.values_mut() {
            remove_labels(&mut block.meta, &options.replica_labels);
        }
    }

    let before = blocks.len();
    if options.deduplicate {
        snapshot.duplicates = covered(blocks.iter().map(|(id, b)| (*id, &*b.meta)));
        blocks.retain(|id, _| !snapshot.duplicates.contains(id));
    }
    count(State::Duplicate, before, blocks.len());
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// When the block came into the bucket, as far as it tells.
fn visible_since_ms(meta: &BlockMeta) -> i64 {
    let uploaded = meta.thanos.as_ref().and_then(|t| t.upload_time.as_deref());
    let uploaded = uploaded.and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_millisecond);
    // Go's zero time stands for none.
    uploaded.filter(|ms| *ms > 0).unwrap_or_else(|| ulid_time_ms(meta.ulid))
}

fn trusted(meta: &BlockMeta) -> bool {
    meta.thanos.as_ref().is_some_and(|t| TRUSTED_SOURCES.contains(&t.source.as_str()))
}

fn remove_labels(meta: &mut Arc<BlockMeta>, names: &[String]) {
    let Some(thanos) = &mut Arc::make_mut(meta).thanos else { return };
    thanos.labels.retain(|name, _| !names.contains(name));
    if thanos.labels.is_empty() {
        thanos.labels.insert(names[0].clone(), "deduped".to_owned());
    }
}

/// A block and where it comes from.
type Sources = (Ulid, BTreeSet<Ulid>);

/// The blocks whose sources all are sources of one other block with the same labels and resolution.
/// Of several with the same sources the oldest id stays.
pub(crate) fn covered<'a>(blocks: impl Iterator<Item = (Ulid, &'a BlockMeta)>) -> BTreeSet<Ulid> {
    let mut groups: BTreeMap<(i64, model::Labels), Vec<Sources>> = BTreeMap::new();
    for (id, meta) in blocks {
        let mut sources: BTreeSet<Ulid> = meta.compaction.sources.iter().copied().collect();
        if sources.is_empty() {
            // Says nothing of where it comes from: then from itself.
            sources.insert(id);
        }
        groups.entry((meta.resolution_ms(), meta.labels())).or_default().push((id, sources));
    }
    let mut covered = BTreeSet::new();
    for group in groups.values_mut() {
        group.sort_by_key(|(id, sources)| (std::cmp::Reverse(sources.len()), *id));
        // The kept blocks by each of their sources: a covering block has the child's first source too.
        let mut keep: BTreeMap<Ulid, Vec<usize>> = BTreeMap::new();
        for (i, (id, sources)) in group.iter().enumerate() {
            let first = sources.first().and_then(|source| keep.get(source));
            if first.into_iter().flatten().any(|k| sources.is_subset(&group[*k].1)) {
                covered.insert(*id);
                continue;
            }
            for source in sources {
                keep.entry(*source).or_default().push(i);
            }
        }
    }
    covered
}
