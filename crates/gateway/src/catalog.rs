use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use block::Ulid;
use model::{Labels, Matcher, TimeRange};
use store::Extent;

use crate::block::{Block, without_external};

/// The blocks at one moment, by external labels and resolution.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) by_id: HashMap<Ulid, Arc<Block>>,
    groups: BTreeMap<Labels, Group>,
}

/// Blocks of one source.
#[derive(Debug, Default)]
struct Group {
    /// The coarsest resolution first; blocks by time.
    by_resolution: Vec<(i64, Vec<Arc<Block>>)>,
}

impl Catalog {
    pub(crate) fn new(blocks: impl IntoIterator<Item = Arc<Block>>) -> Self {
        let mut catalog = Self::default();
        for block in blocks {
            let group = catalog.groups.entry(block.labels.clone()).or_default();
            group.add(&block);
            catalog.by_id.insert(block.id, block);
        }
        for group in catalog.groups.values_mut() {
            group.by_resolution.sort_by_key(|(resolution, _)| std::cmp::Reverse(*resolution));
            for (_, blocks) in &mut group.by_resolution {
                blocks.sort_by_key(|b| (b.meta.min_time, b.meta.max_time, b.id));
            }
        }
        catalog
    }

    /// External label sets with the time their blocks cover; blocks that touch are one extent.
    pub(crate) fn extents(&self, limit: TimeRange) -> Vec<Extent> {
        let mut extents: Vec<Extent> = Vec::new();
        for (labels, group) in &self.groups {
            let all = group.by_resolution.iter().flat_map(|(_, blocks)| blocks);
            let mut ranges: Vec<_> = all.map(|b| TimeRange::new(b.meta.min_time, b.meta.max_time)).collect();
            ranges.sort_unstable();
            let first = extents.len();
            for range in ranges.into_iter().map(|r| r.intersection(limit)).filter(|r| !r.is_empty()) {
                match extents[first..].last_mut() {
                    Some(last) if range.min <= last.range.max => last.range = last.range.union(range),
                    _ => extents.push(Extent { labels: labels.clone(), range }),
                }
            }
        }
        extents
    }

    /// The blocks to read for `range`, at the coarsest resolution allowed and finer where that has gaps,
    /// with the matchers that external labels do not decide.
    pub(crate) fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        max_resolution_ms: i64,
    ) -> Vec<(Arc<Block>, Arc<[Matcher]>)> {
        let mut selected = Vec::new();
        for (labels, group) in &self.groups {
            let Some(left) = without_external(matchers, labels) else { continue };
            let left: Arc<[Matcher]> = left.into();
            let mut blocks = Vec::new();
            group.cover(range, max_resolution_ms, &mut blocks);
            let mut seen = std::collections::HashSet::new();
            blocks.retain(|b| seen.insert(b.id));
            selected.extend(blocks.into_iter().map(|b| (b, Arc::clone(&left))));
        }
        selected
    }

    /// All blocks that overlap `range`, whatever their resolution.
    pub(crate) fn overlapping(&self, matchers: &[Matcher], range: TimeRange) -> Vec<(Arc<Block>, Arc<[Matcher]>)> {
        let mut selected = Vec::new();
        for (labels, group) in &self.groups {
            let Some(left) = without_external(matchers, labels) else { continue };
            let left: Arc<[Matcher]> = left.into();
            let blocks = group.by_resolution.iter().flat_map(|(_, blocks)| blocks).filter(|b| b.overlaps(range));
            selected.extend(blocks.map(|b| (Arc::clone(b), Arc::clone(&left))));
        }
        selected
    }
}

impl Group {
    fn add(&mut self, block: &Arc<Block>) {
        match self.by_resolution.iter_mut().find(|(resolution, _)| *resolution == block.resolution_ms) {
            Some((_, blocks)) => blocks.push(Arc::clone(block)),
            None => self.by_resolution.push((block.resolution_ms, vec![Arc::clone(block)])),
        }
    }

    /// Fills `range` with blocks of one resolution and its gaps with finer ones.
    fn cover(&self, range: TimeRange, max_resolution_ms: i64, to: &mut Vec<Arc<Block>>) {
        if range.is_empty() {
            return;
        }
        let allowed = |(resolution, _): &&(i64, Vec<Arc<Block>>)| *resolution <= max_resolution_ms;
        let Some((resolution, blocks)) = self.by_resolution.iter().find(allowed) else { return };
        let finer = |from: i64, until: i64, to: &mut Vec<_>| {
            if *resolution > 0 {
                self.cover(TimeRange::new(from, until), resolution - 1, to);
            }
        };
        let mut start = range.min;
        for block in blocks.iter().filter(|b| b.overlaps(range)) {
            finer(start, block.meta.min_time.saturating_sub(1), to);
            to.push(Arc::clone(block));
            start = start.max(block.meta.max_time);
        }
        finer(start, range.max, to);
    }
}

#[cfg(test)]
mod tests;
