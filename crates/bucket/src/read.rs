//! Reading a block's objects: whole, by range, and by many ranges in as few requests as pay.

use std::ops::Range;

use block::meta::{BlockMeta, DeletionMark, NoCompactMark, NoDownsampleMark};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use ulid::Ulid;

use crate::link::Link;
use crate::{BlockFile, Bucket, Error, Kind, Result};

/// How many range requests of one call run side by side.
const PARALLEL: usize = 16;

/// The largest request that ranges are merged into; a longer single range stays whole.
const MERGED_BYTES_MAX: u64 = 16 << 20;

impl Bucket {
    /// A whole object.
    ///
    /// # Errors
    /// When it does not exist ([`Error::is_not_found`]) or cannot be read.
    pub async fn read(&self, block: Ulid, file: BlockFile) -> Result<Bytes> {
        let path = file.path(block);
        let read = async { self.store().get(&path).await?.bytes().await };
        read.await.map_err(|e| self.failed(file, Error::store("read", &path, e)))
    }

    /// Who reads these has seen them listed.
    fn failed(&self, file: BlockFile, error: Error) -> Error {
        if matches!(file, BlockFile::Index | BlockFile::Chunks(_)) && error.is_not_found() {
            self.miss();
        }
        error
    }

    /// Like [`Self::read`]; `None` where the object does not exist.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read_if_exists(&self, block: Ulid, file: BlockFile) -> Result<Option<Bytes>> {
        match self.read(block, file).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// An object's size in bytes.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn size(&self, block: Ulid, file: BlockFile) -> Result<u64> {
        let path = file.path(block);
        Ok(self.store().head(&path).await.map_err(|e| Error::store("stat", &path, e))?.size)
    }

    /// A block's meta.
    ///
    /// # Errors
    /// As [`Self::read`], and [`Error::Corrupt`] where it is not one or names another block.
    pub async fn read_meta(&self, block: Ulid) -> Result<BlockMeta> {
        let bytes = self.read(block, BlockFile::Meta).await?;
        parse_meta(block, &bytes)
    }

    /// A block's deletion mark, if it has one.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub async fn deletion_mark(&self, block: Ulid) -> Result<Option<DeletionMark>> {
        self.mark(block, BlockFile::DeletionMark, DeletionMark::parse).await
    }

    /// A block's no-compact mark, if it has one.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub async fn no_compact_mark(&self, block: Ulid) -> Result<Option<NoCompactMark>> {
        self.mark(block, BlockFile::NoCompactMark, NoCompactMark::parse).await
    }

    /// A block's no-downsample mark, if it has one.
    ///
    /// # Errors
    /// When it cannot be read or parsed.
    pub async fn no_downsample_mark(&self, block: Ulid) -> Result<Option<NoDownsampleMark>> {
        self.mark(block, BlockFile::NoDownsampleMark, NoDownsampleMark::parse).await
    }

    async fn mark<T>(
        &self,
        block: Ulid,
        file: BlockFile,
        parse: impl FnOnce(&[u8]) -> Result<T, block::Corrupt>,
    ) -> Result<Option<T>> {
        let Some(bytes) = self.read_if_exists(block, file).await? else { return Ok(None) };
        Ok(Some(parse(&bytes).map_err(|e| renamed(e, block, file))?))
    }

    /// Bytes `range` of an object.
    ///
    /// # Errors
    /// As [`Self::read`], and [`Error::Corrupt`] where the object ends before the range does.
    pub async fn read_range(&self, block: Ulid, file: BlockFile, range: Range<u64>) -> Result<Bytes> {
        let path = file.path(block);
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let bytes = self.store().get_range(&path, range.clone()).await;
        let bytes = bytes.map_err(|e| self.failed(file, Error::store("read", &path, e)))?;
        if bytes.len() as u64 != wanted {
            let what = format!("ends after {} of {wanted} bytes", bytes.len());
            return Err(block::Corrupt::new(range.start, what).within(path.as_ref(), 0).into());
        }
        Ok(bytes)
    }

    /// Many ranges of one object, answered in their order as slices of what was read. Ranges at most
    /// `gap` bytes apart become one request; requests run side by side.
    ///
    /// # Errors
    /// As [`Self::read_range`].
    pub async fn read_ranges(
        &self,
        block: Ulid,
        file: BlockFile,
        ranges: &[Range<u64>],
        gap: u64,
    ) -> Result<Vec<Bytes>> {
        let requests = merge(ranges, gap);
        let reads = stream::iter(requests.clone()).map(|range| self.read_range(block, file, range));
        let read: Vec<Bytes> = reads.buffered(PARALLEL).try_collect().await?;
        Ok(ranges
            .iter()
            .map(|range| {
                if range.is_empty() {
                    return Bytes::new();
                }
                let at = requests.partition_point(|r| r.start <= range.start) - 1;
                let start = range.start - requests[at].start;
                // Both lie within one request, whose bytes are in memory.
                let [start, end] = [start, start + (range.end - range.start)].map(|n| n as usize);
                read[at].slice(start..end)
            })
            .collect())
    }

    /// The gap at which two ranges cost less as one request: what the link carries in the time of a
    /// round trip, as measured; a guess per kind until enough was.
    #[must_use]
    pub fn default_gap(&self) -> u64 {
        match self.kind() {
            Kind::S3 | Kind::Gcs | Kind::Azure => self.link().and_then(Link::gap).unwrap_or(512 << 10),
            Kind::Filesystem | Kind::Memory => 16 << 10,
        }
    }
}

/// Reads a block's meta and checks that it is this block's.
pub(crate) fn parse_meta(block: Ulid, bytes: &[u8]) -> Result<BlockMeta> {
    let meta = BlockMeta::parse(bytes).map_err(|e| renamed(e, block, BlockFile::Meta))?;
    if meta.ulid != block {
        let what = format!("says it is block {}", meta.ulid);
        return Err(renamed(block::Corrupt::new(0, what), block, BlockFile::Meta).into());
    }
    Ok(meta)
}

/// Names the object in the bucket where the parser only knew the file.
pub(crate) fn renamed(mut corrupt: block::Corrupt, block: Ulid, file: BlockFile) -> block::Corrupt {
    corrupt.file = file.path(block).to_string();
    corrupt
}

/// Gaps so small are always read over: a request costs more anywhere.
const GAP_ALWAYS: u64 = 16 << 10;

/// Of what larger gaps are read over for, at least so much must be wanted: in 100.
const WANTED_MIN: u64 = 75;

/// Sorted, disjoint requests that cover `ranges`: empty ranges are left out, those at most `gap` apart
/// merged up to a size, the smallest gaps first and only as long as most of what is read is wanted.
fn merge(ranges: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|r| !r.is_empty()).cloned().collect();
    sorted.sort_unstable_by_key(|r| (r.start, r.end));
    let close = merge_sorted(sorted, |between| between <= gap.min(GAP_ALWAYS));
    if gap <= GAP_ALWAYS || close.len() < 2 {
        return close;
    }
    // The smallest gap that cannot be afforded any more: only smaller ones are read over.
    let mut gaps: Vec<u64> = close.windows(2).map(|w| w[1].start - w[0].end).filter(|g| *g <= gap).collect();
    gaps.sort_unstable();
    let wanted: u64 = close.iter().map(|r| r.end - r.start).sum();
    let affordable = wanted / WANTED_MIN * (100 - WANTED_MIN);
    let mut wasted = 0;
    let too_much = gaps.iter().find(|g| {
        wasted += **g;
        wasted > affordable
    });
    let joins = |between: u64| between <= gap && too_much.is_none_or(|g| between < *g);
    merge_sorted(close, joins)
}

/// Merges neighbours where `joins` says so of the bytes between them, up to a size.
fn merge_sorted(sorted: Vec<Range<u64>>, joins: impl Fn(u64) -> bool) -> Vec<Range<u64>> {
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        if let Some(last) = merged.last_mut() {
            let overlaps = range.start < last.end;
            let fits = range.end.saturating_sub(last.start) <= MERGED_BYTES_MAX;
            if overlaps || (fits && joins(range.start - last.end)) {
                last.end = last.end.max(range.end);
                continue;
            }
        }
        merged.push(range);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
    fn ranges_merge_by_gap() {
        let check = |ranges: &[Range<u64>], gap, expected: &[Range<u64>]| assert_eq!(merge(ranges, gap), expected);
        check(&[], 10, &[]);
        check(&[5..5], 10, &[]);
        check(&[20..30, 0..10], 10, &[0..30]);
        check(&[20..30, 0..10], 9, &[0..10, 20..30]);
        check(&[0..10, 2..4, 8..12], 0, &[0..12]);
        check(&[0..10, 10..20], 0, &[0..20]);
        // Overlapping ranges are one request whatever its size; neighbours are not.
        let big = MERGED_BYTES_MAX;
        check(&[0..big, 1..big + 1], 0, &[0..big + 1]);
        check(&[0..big, big..big + 1], 0, &[0..big, big..big + 1]);
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
    fn large_gaps_are_read_over_while_most_is_wanted() {
        let k = 1 << 10;
        let check = |ranges: &[Range<u64>], gap, expected: &[Range<u64>]| assert_eq!(merge(ranges, gap), expected);
        // 64 reads of 16 KiB, 284 KiB apart: none is worth the gap.
        let sparse: Vec<_> = (0..64).map(|i| i * 300 * k..i * 300 * k + 16 * k).collect();
        check(&sparse, 512 * k, &sparse);
        // 100 KiB, a gap of 20, 100 KiB: less than a quarter is wasted.
        check(&[0..100 * k, 120 * k..220 * k], 512 * k, &[0..220 * k]);
        check(&[0..100 * k, 120 * k..220 * k], 19 * k, &[0..100 * k, 120 * k..220 * k]);
        // The smaller of two gaps is taken, the larger no longer affordable.
        let three = [0..100 * k, 180 * k..280 * k, 310 * k..410 * k];
        check(&three, 512 * k, &[0..100 * k, 180 * k..410 * k]);
        // Small gaps always are.
        check(&[0..1, 10 * k..10 * k + 1], 512 * k, &[0..10 * k + 1]);
    }

    #[tokio::test]
    async fn slices_come_in_the_order_asked() {
        let bucket = Bucket::memory();
        let block = Ulid::from_parts(1, 1);
        let content: Vec<u8> = (0..=255).collect();
        let path = BlockFile::Index.path(block);
        bucket.store().put(&path, content.clone().into()).await.expect("put");
        for gap in [0, 5, 1000] {
            let ranges = [200..210, 3..3, 0..4, 2..6, 100..101];
            let read = bucket.read_ranges(block, BlockFile::Index, &ranges, gap).await.expect("read");
            for (range, bytes) in ranges.iter().zip(&read) {
                assert_eq!(&bytes[..], &content[range.start as usize..range.end as usize], "gap {gap}");
            }
        }
        let short = bucket.read_range(block, BlockFile::Index, 250..260).await.expect_err("past the end");
        assert!(short.to_string().contains("ends after 6 of 10 bytes"), "{short}");
        let absent = bucket.read(block, BlockFile::Meta).await.expect_err("absent");
        assert!(absent.is_not_found() && absent.to_string().contains("meta.json: not found"), "{absent}");
    }
}
