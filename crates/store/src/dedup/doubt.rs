use model::TimeRange;

use super::cells::{is_enough, is_gap};
use super::{CELL_MS, Span};

/// Over more cells than this some gap is likely, and they are not walked.
const CELLS_MAX: i64 = 1024;
/// Behind the first cell in doubt no more are walked than this: it costs less to decide there with the samples at hand.
const MORE_CELLS_MAX: i64 = 12;

/// The part of `range`, which is of whole cells, in which others than the first replica may matter, by what is known of
/// the chunks alone: what [`stable`](super::stable) takes there follows from the samples there, and elsewhere it
/// takes those of the first replica. `None` where that is everywhere. More may be told than is in doubt. The spans of a
/// replica ascend and do not overlap.
#[must_use]
pub fn doubtful<'a>(
    first: &'a [Span],
    others: impl Iterator<Item = &'a [Span]> + Clone,
    range: TimeRange,
) -> Option<TimeRange> {
    let ends = |spans: &[Span]| {
        let (first, last) = spans.first().zip(spans.last())?;
        Some(TimeRange::new(first.range.min, last.range.max))
    };
    let inhabited = others.clone().chain([first]).filter_map(ends).reduce(TimeRange::union);
    let Some(inhabited) = inhabited.map(|inhabited| inhabited.intersection(range)) else { return Some(range) };
    let (from, to) = (inhabited.min.div_euclid(CELL_MS), inhabited.max.div_euclid(CELL_MS));
    if inhabited.is_empty() || to.saturating_sub(from) >= CELLS_MAX {
        return Some(range);
    }
    let mut walk = Walk::new(first);
    let mut before: Option<Cell> = None;
    // The first and the last cell in doubt.
    let mut doubt: Option<(i64, i64)> = None;
    for number in from..=to {
        let start = number.saturating_mul(CELL_MS);
        let cell = walk.next(start);
        let own = cell.as_ref().map(|cell| cell.map_or(0, |cell| cell.samples));
        let most = others.clone().map(|spans| most_in(spans, start)).max().unwrap_or(0);
        let cell = match own {
            Ok(own) if is_enough(own, most) => cell.unwrap_or(None),
            _ => {
                // At its borders the neighbours matter, too.
                doubt = Some((doubt.map_or(number - 1, |(first, _)| first), number + 1));
                None
            }
        };
        let is_bridged = |cell: &Cell| before.is_some_and(|b| is_gap(cell.distance, cell.least.min(b.least)));
        if cell.as_ref().is_some_and(is_bridged) {
            doubt = Some((doubt.map_or(number - 1, |(first, _)| first), number));
        }
        before = cell;
        if doubt.is_some() && to - number > MORE_CELLS_MAX {
            doubt = doubt.map(|(first, _)| (first, to));
            break;
        }
    }
    let (first, last) = doubt?;
    let min = if first <= from { range.min } else { first.saturating_mul(CELL_MS) };
    let max = if last >= to { range.max } else { last.saturating_add(1).saturating_mul(CELL_MS) - 1 };
    Some(TimeRange::new(min, max))
}

/// How many samples may be in the cell that begins at `start`; of a chunk of none it is not known.
fn most_in(spans: &[Span], start: i64) -> usize {
    let inside = &spans[spans.partition_point(|span| span.range.max < start)..];
    let inside = inside.iter().take_while(|span| span.range.min < start.saturating_add(CELL_MS));
    let most = |span: &Span| if span.samples > 0 { span.most_in(start) } else { usize::MAX };
    inside.map(most).fold(0, usize::saturating_add)
}

/// A cell without a gap or a staleness marker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) samples: usize,
    /// No two samples are less and no neighbours more from each other.
    pub(super) least: i64,
    pub(super) most: i64,
    /// From the last sample before the cell to the first in it, at most.
    distance: i64,
}

/// What is not known of chunks, or is not as usual.
#[derive(Debug)]
pub(super) struct Uncertain;

/// A replica's chunks, cell by cell.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// The first is the first that may reach into the next cell.
    spans: &'a [Span],
    /// Where the samples before these end.
    last: Option<i64>,
}

impl<'a> Walk<'a> {
    /// The spans ascend and do not overlap.
    pub(super) fn new(spans: &'a [Span]) -> Self {
        Self { spans, last: None }
    }

    /// The cell that begins at `start`, if there are samples in it; the starts ascend.
    pub(super) fn next(&mut self, start: i64) -> Result<Option<Cell>, Uncertain> {
        let end = start.saturating_add(CELL_MS);
        let mut cell = Cell { samples: 0, least: i64::MAX, most: 0, distance: i64::MAX };
        // From the ends of the cell to its samples.
        let mut outside = 0;
        while let Some((span, rest)) = self.spans.split_first().filter(|(span, _)| span.range.min < end) {
            if span.range.max >= start {
                let own = span.exactly_in(start).filter(|&own| own > 0).ok_or(Uncertain)?;
                let distances = span.spread.distances(start, span.range, span.samples);
                let (shortest, longest) = distances.ok_or(Uncertain)?;
                if span.range.min < start {
                    outside = longest;
                    cell.distance = if span.spread.is_steady() { longest } else { i64::MAX };
                } else {
                    let before = self.last.map_or(i64::MAX, |last| span.range.min.saturating_sub(last));
                    if cell.samples == 0 {
                        (cell.distance, outside) = (before, span.range.min - start);
                    } else {
                        (cell.least, cell.most) = (cell.least.min(before), cell.most.max(before));
                    }
                }
                (cell.least, cell.most) = (cell.least.min(shortest), cell.most.max(longest));
                cell.samples = cell.samples.saturating_add(own);
                if span.range.max >= end {
                    // The next cell's, too. The last one here is no more than this from the end.
                    return finish(cell, outside);
                }
            }
            (self.spans, self.last) = (rest, Some(span.range.max));
        }
        if cell.samples == 0 {
            return Ok(None);
        }
        let to_end = self.last.map_or(i64::MAX, |last| end.saturating_sub(last));
        finish(cell, outside.max(to_end))
    }
}

fn finish(cell: Cell, outside: i64) -> Result<Option<Cell>, Uncertain> {
    if cell.samples > 1 && !is_gap(cell.most.max(outside), cell.least) { Ok(Some(cell)) } else { Err(Uncertain) }
}
