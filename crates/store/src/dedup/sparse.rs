use block::Columns;
use model::TimeRange;

use super::CELL_MS;
use super::cells::{distances, is_enough, is_gap};
use super::timeline::any_stale;

/// A chunk of floats that is not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where its samples lie, closed.
    pub range: TimeRange,
    /// How many it has.
    pub samples: u32,
}

/// What is known of a replica of which all samples are there.
#[derive(Clone, Debug)]
pub struct Survey {
    range: TimeRange,
    /// The cells without a gap or marker, ascending.
    cells: Vec<Whole>,
}

impl Default for Survey {
    fn default() -> Self {
        Self { range: TimeRange::ALL, cells: Vec::new() }
    }
}

impl Survey {
    /// Looks at the samples within `range`; what was known before is forgotten.
    pub fn look(&mut self, replica: &Columns, range: TimeRange) {
        self.range = range;
        self.cells.clear();
        // Where histograms are among the samples nothing is known.
        if replica.ht.is_empty() {
            find_whole(replica, range, &mut self.cells);
        }
    }

    /// The number of samples and their least distance in the cell with this number, if it is whole.
    pub(super) fn whole(&self, number: i64) -> Option<(usize, i64)> {
        let cell = self.cells.get(self.cells.partition_point(|cell| cell.number < number))?;
        (cell.number == number).then_some((cell.own, cell.least))
    }
}

/// Which chunks of another replica [`stable`](super::stable) needs to see beside all samples of the first
/// replica, which were surveyed, into `needed`, which is replaced: those that touch a cell for which it is not certain, whatever
/// the chunks hold, that the first replica is elected and leaves no gap; and those that lie beside such a
/// cell where a gap reaches over its border, as far as that can be foreseen. `spans` ascend and do not overlap.
pub fn needed(survey: &mut Survey, spans: &[Span], needed: &mut Vec<bool>) {
    needed.clear();
    let (cells, range) = (&mut survey.cells, survey.range);
    cells.iter_mut().for_each(|cell| cell.others = 0);
    for (touched, span) in covered(spans, range) {
        let from = cells.partition_point(|cell| cell.number < touched.0);
        for cell in cells[from..].iter_mut().take_while(|cell| cell.number <= touched.1) {
            cell.others = cell.others.saturating_add(span.samples as usize);
        }
    }
    needed.extend(covered(spans, range).map(|((first, last), span)| {
        let from = cells.partition_point(|cell| cell.number < first);
        let touched = cells[from..].iter().take_while(|cell| cell.number <= last);
        let settled = touched.filter(|cell| is_enough(cell.own, cell.others)).count();
        span.range.overlaps(range) && settled as u64 != last.abs_diff(first) + 1
    }));
    for (i, cell) in cells.iter().enumerate() {
        let follows = i > 0 && cells[i - 1].number + 1 == cell.number;
        let goes_on = cells.get(i + 1).is_some_and(|next| next.number == cell.number + 1);
        // From the others' next sample back to this cell's last, and likewise before it.
        if !goes_on {
            let next = spans.partition_point(|span| span.range.min < cell.end());
            let to = spans.get(next).map_or(i64::MAX, |span| span.range.min);
            cell.reach(cell.last, to, spans, needed);
        }
        if !follows {
            let before = spans.partition_point(|span| span.range.max < cell.start());
            let from = before.checked_sub(1).map_or(i64::MIN, |i| spans[i].range.max);
            cell.reach(from, cell.first, spans, needed);
        }
    }
}

/// A cell in which a replica leaves no gap and has no marker.
#[derive(Clone, Copy, Debug)]
struct Whole {
    /// Counted from the epoch.
    number: i64,
    own: usize,
    /// No more samples than this are another replica's.
    others: usize,
    first: i64,
    last: i64,
    /// The least distance of two samples.
    least: i64,
}

impl Whole {
    fn start(&self) -> i64 {
        self.number.saturating_mul(CELL_MS)
    }

    fn end(&self) -> i64 {
        self.start().saturating_add(CELL_MS)
    }

    /// Marks the chunks that may fill a gap between two samples across this cell's border, if it is one.
    fn reach(&self, from: i64, to: i64, spans: &[Span], needed: &mut [bool]) {
        if !is_gap(to.saturating_sub(from), self.least) {
            return;
        }
        let own = TimeRange::new(from.max(self.start()), to.min(self.end()).saturating_sub(1));
        let near = spans.partition_point(|span| span.range.max < own.min);
        for (span, needed) in spans[near..].iter().zip(&mut needed[near..]).take_while(|(s, _)| s.range.min <= own.max)
        {
            *needed |= span.range.overlaps(own);
        }
    }
}

fn find_whole(first: &Columns, range: TimeRange, cells: &mut Vec<Whole>) {
    let end = first.t.partition_point(|&t| t <= range.max);
    let mut at = first.t[..end].partition_point(|&t| t < range.min);
    while at < end {
        let number = first.t[at].div_euclid(CELL_MS);
        let start = number.saturating_mul(CELL_MS);
        let behind = start.saturating_add(CELL_MS);
        let n = first.t[at..end].partition_point(|&t| t < behind);
        let (times, values) = (&first.t[at..at + n], &first.v[at..at + n]);
        let (least, most) = distances(times);
        let most = most.max(times[0] - start).max(behind - times[n - 1]);
        if n > 1 && !is_gap(most, least) && !any_stale(values) {
            cells.push(Whole { number, own: n, others: 0, first: times[0], last: times[n - 1], least });
        }
        at += n;
    }
}

/// The first and the last cell that each span touches.
fn covered(spans: &[Span], range: TimeRange) -> impl Iterator<Item = ((i64, i64), &Span)> {
    spans.iter().map(move |span| {
        let part = span.range.intersection(range);
        ((part.min.div_euclid(CELL_MS), part.max.div_euclid(CELL_MS)), span)
    })
}
