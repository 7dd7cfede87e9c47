use block::Columns;
use model::TimeRange;

use super::cells::{distances, is_enough, is_gap};
use super::timeline::any_stale;
use super::{CELL_MS, EDGE_MS};

/// A chunk of floats that is not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where its samples lie, closed.
    pub range: TimeRange,
    /// How many it has.
    pub samples: u32,
}

/// How the first replica of a series, of which all samples are there, stands beside the others, of which
/// only the chunks' times and lengths are known: where it is certain, whatever those hold, that it gives
/// the samples and no others.
///
/// First [`look`](Self::look), then [`weigh`](Self::weigh) for each of the others, then
/// [`settle`](Self::settle); after that the rest can be asked for. The spans of a replica ascend and do
/// not overlap.
#[derive(Clone, Debug)]
pub struct Survey {
    range: TimeRange,
    /// The cells without a gap or marker, ascending.
    cells: Vec<Whole>,
    /// Where cells follow each other of which all is certain, ascending.
    runs: Vec<Run>,
}

impl Default for Survey {
    fn default() -> Self {
        Self { range: TimeRange::ALL, cells: Vec::new(), runs: Vec::new() }
    }
}

/// A cell in which the first replica leaves no gap and has no marker.
#[derive(Clone, Copy, Debug)]
struct Whole {
    /// Counted from the epoch.
    number: i64,
    own: usize,
    /// No more samples than this are of the replica that was weighed last.
    others: usize,
    /// Another replica may have more samples.
    open: bool,
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

    fn goes_on_in(&self, next: &Self) -> bool {
        self.number + 1 == next.number
    }
}

/// Settled cells without a gap at the borders between them, by their numbers among the whole ones.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// In milliseconds, half open.
    from: i64,
    to: i64,
    cells: (usize, usize),
}

impl Survey {
    /// Looks at the first replica's samples within `range`; what was known before is forgotten.
    pub fn look(&mut self, first: &Columns, range: TimeRange) {
        self.range = range;
        self.cells.clear();
        self.runs.clear();
        // Where histograms are among the samples nothing is known.
        if first.ht.is_empty() {
            find_whole(first, range, &mut self.cells);
        }
    }

    /// Finds out where another replica may have so many more samples that it is elected.
    pub fn weigh(&mut self, spans: &[Span]) {
        let mut from = 0;
        for (part, span) in self.clipped(spans) {
            let (first, last) = (part.min.div_euclid(CELL_MS), part.max.div_euclid(CELL_MS));
            while self.cells.get(from).is_some_and(|cell| cell.number < first) {
                from += 1;
            }
            for cell in self.cells[from..].iter_mut().take_while(|cell| cell.number <= last) {
                cell.others = cell.others.saturating_add(span.samples as usize);
            }
        }
        for cell in &mut self.cells {
            cell.open |= !is_enough(cell.own, std::mem::take(&mut cell.others));
        }
    }

    /// Puts together what is certain, once all replicas are weighed.
    pub fn settle(&mut self) {
        self.runs.clear();
        for (i, cell) in self.cells.iter().enumerate().filter(|(_, cell)| !cell.open) {
            if let Some(run) = self.runs.last_mut()
                && run.cells.1 + 1 == i
                && self.cells[i - 1].goes_on_in(cell)
                && !is_gap(cell.first - self.cells[i - 1].last, cell.least.min(self.cells[i - 1].least))
            {
                (run.to, run.cells.1) = (cell.end(), i);
            } else {
                self.runs.push(Run { from: cell.start(), to: cell.end(), cells: (i, i) });
            }
        }
    }

    /// Which of another replica's chunks may matter, into `needed`, which is replaced: those that touch more than
    /// settled cells, and those that may fill a gap at the border of such cells, as far as that can be foreseen.
    pub fn needed(&self, spans: &[Span], needed: &mut Vec<bool>) {
        needed.clear();
        let mut at = 0;
        needed.extend(spans.iter().map(|span| {
            let part = span.range.intersection(self.range);
            while self.runs.get(at).is_some_and(|run| run.to <= part.min) {
                at += 1;
            }
            span.range.overlaps(self.range)
                && !self.runs.get(at).is_some_and(|run| run.from <= part.min && part.max < run.to)
        }));
        for run in &self.runs {
            self.reach_before(run, spans, needed);
            self.reach_behind(run, spans, needed);
        }
    }

    /// Marks chunks that may fill a gap between a run's last sample and what comes after it.
    fn reach_behind(&self, run: &Run, spans: &[Span], needed: &mut [bool]) {
        if run.to > self.range.max {
            return;
        }
        let last = &self.cells[run.cells.1];
        let after = self.cells.get(run.cells.1 + 1).filter(|next| last.goes_on_in(next));
        let next = spans.partition_point(|span| span.range.min < run.to);
        let to = match after {
            Some(after) => after.first,
            None => spans.get(next).map_or(i64::MAX, |span| span.range.min),
        };
        if !is_gap(to.saturating_sub(last.last), last.least) {
            return;
        }
        let from = last.last.saturating_add(1).max(run.to - EDGE_MS);
        for (span, needed) in spans[..next].iter().zip(needed).rev() {
            let latest = span.range.max.min(run.to - 1);
            if latest < from {
                return;
            }
            *needed |= (latest - last.last).saturating_mul(2) >= last.least;
        }
    }

    /// Marks chunks that may fill a gap between what comes before a run and its first sample.
    fn reach_before(&self, run: &Run, spans: &[Span], needed: &mut [bool]) {
        if run.from <= self.range.min {
            return;
        }
        let first = &self.cells[run.cells.0];
        let before = run.cells.0.checked_sub(1).map(|i| &self.cells[i]).filter(|before| before.goes_on_in(first));
        let next = spans.partition_point(|span| span.range.max < run.from);
        let from = match (before, next.checked_sub(1)) {
            (Some(before), _) => before.last,
            (None, Some(i)) => spans[i].range.max,
            (None, None) => i64::MIN,
        };
        if !is_gap(first.first.saturating_sub(from), first.least) {
            return;
        }
        let to = first.first.saturating_sub(1).min(run.from.saturating_add(EDGE_MS));
        for (span, needed) in spans[next..].iter().zip(&mut needed[next..]) {
            let earliest = span.range.min.max(run.from);
            if earliest > to {
                return;
            }
            *needed |= (first.first - earliest).saturating_mul(2) >= first.least;
        }
    }

    /// Where more than the first replica's samples may be taken, into `found`, which is replaced: what is not settled,
    /// with the cell on either side. Ascending; what is between them is the first replica's. `any` tells
    /// whether a replica may have samples in a range.
    pub fn unsettled(&self, any: impl Fn(TimeRange) -> bool, found: &mut Vec<TimeRange>) {
        found.clear();
        let mut from = self.range.min;
        let mut before: Option<&Run> = None;
        for run in self.runs.iter().map(Some).chain([None]) {
            let open = TimeRange::new(from, run.map_or(self.range.max, |run| run.from - 1));
            let is_border = before.is_some_and(|before| run.is_some_and(|run| run.from == before.to));
            if is_border || (!open.is_empty() && any(open)) {
                let min = before.map_or(self.range.min, |run| run.to - CELL_MS);
                let max = run.map_or(self.range.max, |run| run.from + CELL_MS - 1);
                match found.last_mut() {
                    Some(last) if last.max >= min => last.max = max,
                    _ => found.push(TimeRange::new(min, max)),
                }
            }
            from = run.map_or(from, |run| run.to);
            before = run;
        }
    }

    /// The number of samples and their least distance in the cell with this number, if it is whole.
    pub(super) fn whole(&self, number: i64) -> Option<(usize, i64)> {
        let cell = self.cells.get(self.cells.partition_point(|cell| cell.number < number))?;
        (cell.number == number).then_some((cell.own, cell.least))
    }

    /// The spans that touch the range, and the part that does.
    fn clipped<'a>(&self, spans: &'a [Span]) -> impl Iterator<Item = (TimeRange, &'a Span)> + use<'a> {
        let range = self.range;
        spans.iter().filter(move |span| span.range.overlaps(range)).map(move |s| (s.range.intersection(range), s))
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
            let (first, last) = (times[0], times[n - 1]);
            cells.push(Whole { number, own: n, others: 0, open: false, first, last, least });
        }
        at += n;
    }
}
