//! How the samples of a chunk are spread over time, where somebody has looked.

use std::cell::RefCell;

use model::{TimeRange, is_stale};

use crate::chunk::decode;
use crate::{Columns, Encoding};

/// The length of a cell of time, of which each begins at a multiple of it. Replicas are elected cell by cell, and two
/// hours of a block are whole cells.
pub const CELL_MS: i64 = 30 * 60 * 1000;

/// How the floats of a chunk are spread over time: how many lie in the cells that it reaches into, and whether they are
/// steady. What was not looked at is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// In the first of several cells; 0 where none were counted, which is no answer otherwise.
    first: u8,
    /// In the one of those between that has most.
    most: u8,
    last: u8,
    steady: Steady,
}

/// What a reader makes use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpreadUse {
    #[default]
    Nothing,
    /// How many samples lie in each cell; of a chunk that reaches into several these have to be counted.
    Counts,
    All,
}

impl SpreadUse {
    /// How many borders of cells lie within a chunk's range, where its samples are to be looked at.
    #[inline]
    pub(crate) fn borders(self, range: TimeRange) -> Option<i64> {
        let borders = if self == Self::Nothing { return None } else { borders(range) };
        (self == Self::All || borders > 0).then_some(borders)
    }
}

/// Whether samples are known to have no gap and no staleness marker among them, and to be about as far from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Steady {
    #[default]
    Unknown,
    /// Those in the last of several cells.
    Last,
    All,
}

/// The number of a time's cell, counted from the epoch.
#[inline]
fn cell_of(t: i64) -> i64 {
    t.div_euclid(CELL_MS)
}

/// How many borders of cells lie within a range.
#[inline]
pub(crate) fn borders(range: TimeRange) -> i64 {
    range.min.rem_euclid(CELL_MS).saturating_add(range.max.saturating_sub(range.min)) / CELL_MS
}

/// How many numbers are to be noted of a chunk that reaches over so many borders; what else there is follows from them.
pub(crate) fn noted(borders: i64) -> usize {
    borders.clamp(0, 3) as usize
}

impl Spread {
    /// Of the samples of a chunk that are said to lie in `range`; too many to be noted are not counted.
    #[must_use]
    pub fn of(times: &[i64], values: &[f64], range: TimeRange) -> Self {
        let (first, last) = (cell_of(range.min), cell_of(range.max));
        let steady = Steady::of(times, values, range);
        if first == last {
            return Self { steady, ..Self::default() };
        }
        let mut counts = [0_usize; 3];
        for cell in times.chunk_by(|a, b| cell_of(*a) == cell_of(*b)) {
            let number = cell_of(cell[0]);
            let place = usize::from(number > first) + usize::from(number >= last);
            counts[place] = counts[place].max(cell.len());
        }
        match counts.map(u8::try_from) {
            [Ok(first), Ok(most), Ok(last)] => Self { first, most, last, steady },
            _ => Self { steady, ..Self::default() },
        }
    }

    /// Of a chunk's payload; nothing is known of a damaged one.
    pub(crate) fn look(encoding: Encoding, payload: &[u8], range: TimeRange) -> Self {
        thread_local! {
            static COLUMNS: RefCell<Columns> = RefCell::default();
        }
        COLUMNS.with_borrow_mut(|columns| {
            columns.clear();
            match decode(encoding, payload, columns) {
                Ok(()) => Self::of(&columns.t, &columns.v, range),
                Err(_) => Self::default(),
            }
        })
    }

    /// In the order in which they are noted.
    pub(crate) fn numbers(self) -> [u8; 3] {
        [self.first, self.last, self.most]
    }

    /// Of what was noted of a chunk of so many samples that reaches over so many borders.
    #[inline]
    pub(crate) fn from_noted(steady: Steady, [first, last, most]: [u8; 3], borders: i64, samples: u32) -> Self {
        let rest = |taken: u8| u8::try_from(samples.saturating_sub(taken.into())).unwrap_or(u8::MAX);
        match borders {
            0 => Self { steady, ..Self::default() },
            1 => Self { first, most: 0, last: rest(first), steady },
            2 => Self { first, most: rest(first.saturating_add(last)), last, steady },
            _ => Self { first, most, last, steady },
        }
    }

    pub(crate) fn steady(self) -> Steady {
        self.steady
    }

    /// Whether no sample is a staleness marker and neighbours are no less and no more from each other than
    /// [`distances`](Self::distances) says, wherever they are.
    #[inline]
    #[must_use]
    pub fn is_steady(self) -> bool {
        self.steady == Steady::All
    }

    /// Of the samples of a chunk of so many that lie in the cell that begins at `start`, into which it reaches: the least
    /// and the most distance of neighbours, where it is known that they are steady and none is a staleness marker. The
    /// first of them is no more than the most from the cell's begin, or begins the chunk.
    #[inline]
    #[must_use]
    pub fn distances(self, start: i64, range: TimeRange, samples: u32) -> Option<(i64, i64)> {
        match self.steady {
            Steady::All => Some(near_mean(range, samples)),
            Steady::Last if range.min < start && range.max < start.saturating_add(CELL_MS) => {
                Some(near_mean_from(start, range.max, self.last.into()))
            }
            _ => None,
        }
    }

    /// Where a chunk of so many samples reaches into the cell that begins at `start`: how many may lie there at most, and
    /// whether it is so many.
    #[inline]
    #[must_use]
    pub fn in_cell(self, start: i64, range: TimeRange, samples: u32) -> (u32, bool) {
        let end = start.saturating_add(CELL_MS);
        match (range.min >= start, range.max < end) {
            (true, true) => (samples, true),
            _ if self.first == 0 => (samples, false),
            (true, false) => (self.first.into(), true),
            (false, true) => (self.last.into(), true),
            (false, false) => {
                let is_only_one = range.min >= start.saturating_sub(CELL_MS) && range.max < end.saturating_add(CELL_MS);
                (self.most.into(), is_only_one)
            }
        }
    }
}

/// An eighth from the mean distance of so many samples from one end of a range to the other.
#[inline]
fn near_mean(range: TimeRange, samples: u32) -> (i64, i64) {
    near(range.max.saturating_sub(range.min) / i64::from(samples).saturating_sub(1).max(1))
}

/// An eighth from the mean distance of so many samples behind `start`, the last of which is known.
#[inline]
fn near_mean_from(start: i64, last: i64, samples: u32) -> (i64, i64) {
    near(last.saturating_sub(start) / i64::from(samples).max(1))
}

#[inline]
fn near(mean: i64) -> (i64, i64) {
    (mean - mean / 8, mean.saturating_add(mean / 8))
}

impl Steady {
    /// Fewer samples in a cell than this do not tell their mean distance well enough.
    const SAMPLES_MIN: usize = 8;

    fn of(times: &[i64], values: &[f64], range: TimeRange) -> Self {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return Self::Unknown };
        if times.len() < 2 || (first, last) != (range.min, range.max) {
            return Self::Unknown;
        }
        let samples = |times: &[i64]| u32::try_from(times.len()).unwrap_or(u32::MAX);
        if is_within(times, values, near_mean(range, samples(times))) {
            return Self::All;
        }
        let start = cell_of(last).saturating_mul(CELL_MS);
        let before = times.partition_point(|&t| t < start);
        let (times, values) = (&times[before..], &values[before..]);
        let (least, most) = near_mean_from(start, last, samples(times));
        let is_near = times.len() >= Self::SAMPLES_MIN && times[0] - start <= most;
        if before > 0 && is_near && is_within(times, values, (least, most)) { Self::Last } else { Self::Unknown }
    }
}

/// Whether the distances of neighbours are no less and no more than these, and no value is a staleness marker.
fn is_within(times: &[i64], values: &[f64], (least, most): (i64, i64)) -> bool {
    let is_usual = |w: &[i64]| w[0].checked_add(least) <= Some(w[1]) && w[1] <= w[0].saturating_add(most);
    least > 0 && times.windows(2).all(is_usual) && !values.iter().any(|&v| is_stale(v))
}

#[cfg(test)]
mod tests;
