use std::ops::Range;

use model::{TimeRange, is_stale};

use super::cells::{fits_for, interval_is_within, is_enough, is_gap};
use super::scan::{Seen, look_for_gaps};
use super::sparse::Whole;
use super::{CELL_MS, EDGE_MS, Part, Span, Stretch, Survey};

/// Stretches of more cells are left to [`Cells`](super::Cells), which leaps over empty ones.
const CELLS_MAX: i64 = 48;

/// Floats of one of the replicas, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which part they are of.
    pub part: usize,
    /// Where in the part's columns.
    pub floats: Range<usize>,
}

/// Finds out which samples [`stable`](super::stable) takes where each cell is one replica's alone, without a gap or
/// marker, and between two cells at most one sample of another is missing. Kept for its memory.
#[derive(Debug, Default)]
pub struct Picker {
    /// Each replica's samples in the cell, counted from the first of the part.
    slices: Vec<Range<usize>>,
    taken: Vec<Taken>,
}

/// A cell of which all that one replica has is taken.
#[derive(Clone, Debug)]
struct Elected {
    part: usize,
    floats: Range<usize>,
    /// Of the cell, in milliseconds.
    start: i64,
    /// The least and the most distance of two samples.
    least: i64,
    most: i64,
}

impl Elected {
    fn new(start: i64, cell: &Whole) -> Self {
        let Whole { at, own, least, most, .. } = *cell;
        Self { part: 0, floats: at..at + own, start, least, most }
    }

    fn times<'a>(&self, parts: &[Part<'a>]) -> &'a [i64] {
        &parts[self.part].columns.t[self.floats.clone()]
    }

    /// Whether the scrape interval is at most so much.
    fn interval_is_within(&self, parts: &[Part<'_>], most: i64) -> bool {
        interval_is_within(self.times(parts), (self.least, self.most), most)
    }
}

/// What is taken between two cells.
enum Bridge {
    Nothing,
    One(Taken),
    Unusual,
}

impl Picker {
    /// What [`Cells::merge_within`](super::Cells::merge_within) would append for a stretch, part by part; `None` where
    /// that takes more than this, and where samples matter that are not there. The first part is what `survey` has
    /// looked at.
    pub fn pick(&mut self, parts: &[Part<'_>], survey: &Survey, stretch: &Stretch) -> Option<&[Taken]> {
        let numbers = |range: TimeRange| (range.min.div_euclid(CELL_MS), range.max.div_euclid(CELL_MS));
        let is_wide = |(first, last): (i64, i64)| last.saturating_sub(first) >= CELLS_MAX;
        let mut range = stretch.range;
        if is_wide(numbers(range)) {
            // It may begin or end long before or after all samples.
            range = inhabited(parts, range)?;
        }
        let (first, last) = numbers(range);
        if is_wide((first, last)) || parts.iter().any(|part| !part.columns.st.is_empty()) {
            return None;
        }
        let Self { slices, taken } = self;
        taken.clear();
        slices.clear();
        slices.extend(parts.iter().map(|_| 0..0));
        slices[0] = {
            let at = stretch.first.start - parts[0].floats.start;
            at..at
        };
        let known = &survey.cells[survey.cells.partition_point(|cell| cell.number < first)..];
        let mut known = known.iter().peekable();
        let mut before: Option<Elected> = None;
        for number in first..=last {
            let start = number.saturating_mul(CELL_MS);
            let whole = known.next_if(|cell| cell.number == number);
            let next = match whole {
                Some(cell) if !cell.open => Elected::new(start, cell),
                whole => match elect(parts, slices, whole, range.intersection(cell(start)))? {
                    Some(0) => Elected::new(start, whole?),
                    Some(part) => look(parts, part, slices[part].clone(), start)?,
                    None => continue,
                },
            };
            if let Some(before) = &before {
                match bridge(before, &next, parts) {
                    Bridge::Nothing => {}
                    Bridge::One(sample) => push(taken, sample),
                    Bridge::Unusual => return None,
                }
            }
            push(taken, Taken { part: next.part, floats: next.floats.clone() });
            before = Some(next);
        }
        Some(taken)
    }
}

fn push(taken: &mut Vec<Taken>, next: Taken) {
    match taken.last_mut() {
        Some(last) if last.part == next.part && last.floats.end == next.floats.start => {
            last.floats.end = next.floats.end
        }
        _ => taken.push(next),
    }
}

/// The part of the range from the first sample that may be there to the last one.
fn inhabited(parts: &[Part<'_>], range: TimeRange) -> Option<TimeRange> {
    let ends = parts.iter().filter_map(|part| {
        let times = &part.columns.t[part.floats.clone()];
        let from = times.partition_point(|&t| t < range.min);
        let times = &times[from..from + times[from..].partition_point(|&t| t <= range.max)];
        let holes = &part.holes[part.holes.partition_point(|hole| hole.range.max < range.min)..];
        let holes = &holes[..holes.partition_point(|hole| hole.range.min <= range.max)];
        let known = times.first().zip(times.last()).map(|(&min, &max)| TimeRange { min, max });
        let hidden = holes.first().zip(holes.last()).map(|(a, b)| TimeRange { min: a.range.min, max: b.range.max });
        known.into_iter().chain(hidden).reduce(TimeRange::union)
    });
    ends.reduce(TimeRange::union).map(|ends| ends.intersection(range))
}

fn cell(start: i64) -> TimeRange {
    TimeRange { min: start, max: start.saturating_add(CELL_MS - 1) }
}

/// The replica that is elected from the samples within a range, and none where there are none; `slices`, which lie
/// before, are moved there. `None` where samples may be missing.
fn elect(
    parts: &[Part<'_>],
    slices: &mut [Range<usize>],
    whole: Option<&Whole>,
    range: TimeRange,
) -> Option<Option<usize>> {
    for (i, (part, slice)) in parts.iter().zip(&mut *slices).enumerate() {
        if Span::any_in(part.holes, range) {
            return None;
        }
        if let Some(cell) = whole.filter(|_| i == 0) {
            *slice = cell.at - part.floats.start..cell.at + cell.own - part.floats.start;
            continue;
        }
        let times = &part.columns.t[part.floats.clone()];
        let from = slice.end + times[slice.end..].partition_point(|&t| t < range.min);
        *slice = from..from + times[from..].partition_point(|&t| t <= range.max);
    }
    let most = slices.iter().map(Range::len).max().filter(|&most| most > 0);
    Some(most.and_then(|most| slices.iter().position(|slice| is_enough(slice.len(), most))))
}

/// The cell in which these samples of a part are elected; `None` where they are not enough by themselves.
fn look(parts: &[Part<'_>], part: usize, slice: Range<usize>, start: i64) -> Option<Elected> {
    let Part { columns, floats, .. } = &parts[part];
    let floats = floats.start + slice.start..floats.start + slice.end;
    let times = &columns.t[floats.clone()];
    let Seen { least, most, .. } = look_for_gaps(times, &columns.v[floats.clone()], start)?;
    Some(Elected { part, floats, start, least, most })
}

/// What fills a gap across the border of two cells.
fn bridge(before: &Elected, after: &Elected, parts: &[Part<'_>]) -> Bridge {
    let border = after.start;
    let (Some(&from), Some(&to)) = (before.times(parts).last(), after.times(parts).first()) else {
        return Bridge::Unusual;
    };
    let least = before.least.min(after.least);
    if before.start.saturating_add(CELL_MS) != border || !is_gap(to - from, least) {
        return Bridge::Nothing;
    }
    let (first, last) = (from.max(border.saturating_sub(EDGE_MS + 1)), to.min(border.saturating_add(EDGE_MS)));
    let is_within =
        |most: i64| most >= least && (before.interval_is_within(parts, most) || after.interval_is_within(parts, most));
    let mut found: Option<(i64, Taken)> = None;
    for (i, part) in parts.iter().enumerate() {
        // What an earlier replica gives makes two gaps of one.
        let middle = found.as_ref().map_or(to, |(t, _)| *t);
        let gaps = [(from, middle), (middle, to)];
        let holes = &part.holes[part.holes.partition_point(|hole| hole.range.max <= first)..];
        for hole in holes.iter().take_while(|hole| hole.range.min < last) {
            let hidden = hole.range.intersection(TimeRange { min: first + 1, max: last - 1 });
            let fits = |&gap: &(i64, i64)| {
                let best = (gap.0 + (gap.1 - gap.0) / 2).max(hidden.min).min(hidden.max);
                is_within(fits_for(best, gap))
            };
            if gaps.iter().any(fits) {
                return Bridge::Unusual;
            }
        }
        let times = &part.columns.t[part.floats.clone()];
        let at = part.floats.start + times.partition_point(|&t| t <= first);
        let mut sample = None;
        for (k, &t) in part.columns.t[at..part.floats.end].iter().enumerate().take_while(|(_, t)| **t < last) {
            let fits = is_within(fits_for(t, gaps[usize::from(t > middle)]));
            if fits && !is_stale(part.columns.v[at + k]) && sample.replace((t, at + k)).is_some() {
                return Bridge::Unusual;
            }
        }
        if let Some((t, k)) = sample
            && found.replace((t, Taken { part: i, floats: k..k + 1 })).is_some()
        {
            return Bridge::Unusual;
        }
    }
    found.map_or(Bridge::Nothing, |(_, sample)| Bridge::One(sample))
}
