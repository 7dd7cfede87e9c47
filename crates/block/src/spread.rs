//! How the samples of a chunk are spread over time, where somebody has looked.

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
    steady: bool,
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
        let mut counts = [0_usize; 3];
        for cell in times.chunk_by(|a, b| cell_of(*a) == cell_of(*b)) {
            let number = cell_of(cell[0]);
            let place = usize::from(number > first) + usize::from(number > first && number >= last);
            counts[place] = counts[place].max(cell.len());
        }
        let steady = is_steady(times, range) && !values.iter().any(|&v| is_stale(v));
        match counts.map(u8::try_from) {
            [Ok(first), Ok(most), Ok(last)] => Self { first, most, last, steady },
            _ => Self { steady, ..Self::default() },
        }
    }

    /// Of a chunk's payload; nothing is known of a damaged one.
    pub(crate) fn look(encoding: Encoding, payload: &[u8], range: TimeRange) -> Self {
        let mut columns = Columns::new();
        match decode(encoding, payload, &mut columns) {
            Ok(()) => Self::of(&columns.t, &columns.v, range),
            Err(_) => Self::default(),
        }
    }

    /// In the order in which they are noted.
    pub(crate) fn numbers(self) -> [u8; 3] {
        [self.first, self.last, self.most]
    }

    /// Of what was noted of a chunk of so many samples that reaches over so many borders.
    #[inline]
    pub(crate) fn from_noted(steady: bool, [first, last, most]: [u8; 3], borders: i64, samples: u32) -> Self {
        let rest = |taken: u8| u8::try_from(samples.saturating_sub(taken.into())).unwrap_or(u8::MAX);
        match borders {
            0 => Self { steady, ..Self::default() },
            1 => Self { first, most: 0, last: rest(first), steady },
            2 => Self { first, most: rest(first.saturating_add(last)), last, steady },
            _ => Self { first, most, last, steady },
        }
    }

    /// Whether it is known that no sample is a staleness marker, and that neighbours are no less and no more from each
    /// other than [`distances`] says.
    #[inline]
    #[must_use]
    pub fn is_steady(self) -> bool {
        self.steady
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

/// The least and the most distance of neighbours in a steady chunk of so many samples: an eighth from the mean.
#[inline]
#[must_use]
pub fn distances(range: TimeRange, samples: u32) -> (i64, i64) {
    let mean = range.max.saturating_sub(range.min) / i64::from(samples).saturating_sub(1).max(1);
    (mean - mean / 8, mean.saturating_add(mean / 8))
}

fn is_steady(times: &[i64], range: TimeRange) -> bool {
    let samples = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let (least, most) = distances(range, samples);
    let ends = (times.first().copied(), times.last().copied());
    let is_usual = |w: &[i64]| w[0].checked_add(least) <= Some(w[1]) && w[1] <= w[0].saturating_add(most);
    times.len() > 1 && least > 0 && ends == (Some(range.min), Some(range.max)) && times.windows(2).all(is_usual)
}

#[cfg(test)]
mod tests;
