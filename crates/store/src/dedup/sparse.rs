use std::ops::Range;

use block::{Columns, Spread};
use model::TimeRange;

use super::cells::{gap_for, interval_is_within, is_enough, is_gap};
use super::doubt::Walk;
use super::scan::{Seen, look_for_gaps};
use super::{CELL_MS, EDGE_MS};

/// By so much the intervals of neighbouring cells are taken to differ where it is foreseen what is needed.
pub(super) const SLACK_MS: i64 = 2;

/// Floats that are not decoded yet: a chunk, or what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where its samples lie, closed.
    pub range: TimeRange,
    /// How many it has.
    pub samples: u32,
    /// How they are spread, if that is known.
    pub spread: Spread,
}

impl Span {
    /// The most that may lie in the cell that begins at `start`, into which it reaches.
    pub(super) fn most_in(&self, start: i64) -> usize {
        self.spread.in_cell(start, self.range, self.samples).0 as usize
    }

    /// How many lie in the cell that begins at `start`, into which it reaches, if that is known.
    pub(super) fn exactly_in(&self, start: i64) -> Option<usize> {
        let (samples, is_exact) = self.spread.in_cell(start, self.range, self.samples);
        is_exact.then_some(samples as usize)
    }

    /// Whether one of these, which ascend, reaches into the range.
    pub(super) fn any_in(spans: &[Self], range: TimeRange) -> bool {
        let next = spans.partition_point(|span| span.range.max < range.min);
        range.min <= range.max && spans.get(next).is_some_and(|span| span.range.min <= range.max)
    }
}

/// How the first replica of a series, of which all samples are there, stands beside the others, of which
/// only the chunks' times and lengths are known: where it is certain, whatever those hold, that it gives
/// the samples and no others.
///
/// First [`look`](Self::look), then [`weigh`](Self::weigh) for each of the others, [`recount`](Self::recount) where some
/// of their samples are there already, [`settle`](Self::settle) and [`needed`](Self::needed), and once that is decoded
/// [`recount`](Self::recount) again. The spans of a replica ascend and do not overlap.
#[derive(Clone, Debug)]
pub struct Survey {
    range: TimeRange,
    /// The first replica's floats in that range.
    inside: Range<usize>,
    /// The cells without a gap or marker, ascending.
    pub(super) cells: Vec<Whole>,
    /// Where cells follow each other of which all is certain, ascending.
    runs: Vec<Run>,
}

impl Default for Survey {
    fn default() -> Self {
        Self { range: TimeRange::ALL, inside: 0..0, cells: Vec::new(), runs: Vec::new() }
    }
}

/// Where more than the first replica's samples may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub range: TimeRange,
    /// The first replica's floats in that range.
    pub first: Range<usize>,
}

/// A cell in which the first replica leaves no gap and has no marker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// Counted from the epoch.
    pub(super) number: i64,
    /// The first replica's samples among its floats.
    pub(super) at: usize,
    pub(super) own: usize,
    /// No more samples than this are of the replica that was weighed last.
    others: usize,
    /// Another replica may have more samples.
    pub(super) open: bool,
    first: i64,
    last: i64,
    /// No two samples are less and no neighbours more from each other.
    pub(super) least: i64,
    pub(super) most: i64,
}

impl Whole {
    fn start(&self) -> i64 {
        self.number.saturating_mul(CELL_MS)
    }

    fn end(&self) -> i64 {
        self.start().saturating_add(CELL_MS)
    }

    /// Whether the scrape interval, of which all samples are among these, is at most so much.
    fn interval_is_within(&self, times: &[i64], most: i64) -> bool {
        interval_is_within(&times[self.at..self.at + self.own], (self.least, self.most), most)
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
    /// Looks at the first replica's samples within `range`, which are all among these floats, as far as what is known of
    /// its chunks does not tell enough; what was known before is forgotten.
    pub fn look(&mut self, first: &Columns, floats: Range<usize>, spans: &[Span], range: TimeRange) {
        self.range = range;
        self.cells.clear();
        self.runs.clear();
        let times = &first.t[floats.clone()];
        let end = times.partition_point(|&t| t <= range.max);
        let start = times[..end].partition_point(|&t| t < range.min);
        self.inside = floats.start + start..floats.start + end;
        find_whole((&first.t, &first.v), self.inside.clone(), Walk::new(spans), &mut self.cells);
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
                cell.others = cell.others.saturating_add(span.most_in(cell.start()));
            }
        }
        for cell in &mut self.cells {
            cell.open |= !is_enough(cell.own, std::mem::take(&mut cell.others));
        }
    }

    /// Settles more once samples of the others are decoded: for each of them those that are, and where those lie that are
    /// not.
    /// Tells whether it does, and then [`settle`](Self::settle) comes again.
    pub fn recount<'a>(&mut self, others: impl Iterator<Item = (&'a [i64], &'a [Span])> + Clone) -> bool {
        let mut settled = false;
        for cell in self.cells.iter_mut().filter(|cell| cell.open) {
            let (min, max) = (cell.start().max(self.range.min), (cell.end() - 1).min(self.range.max));
            let has_more = |(times, holes): (&'a [i64], &'a [Span])| {
                let from = times.partition_point(|&t| t < min);
                let known = times[from..].partition_point(|&t| t <= max);
                let hidden = holes[holes.partition_point(|hole| hole.range.max < min)..].iter();
                let hidden = hidden.take_while(|hole| hole.range.min <= max).map(|hole| hole.most_in(cell.start()));
                !is_enough(cell.own, hidden.fold(known, usize::saturating_add))
            };
            cell.open = others.clone().any(has_more);
            settled |= !cell.open;
        }
        settled
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
    /// `first` is what was looked at.
    pub fn needed(&self, first: &Columns, spans: &[Span], needed: &mut Vec<bool>) {
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
            self.reach_before(&first.t, run, spans, needed);
            self.reach_behind(&first.t, run, spans, needed);
        }
    }

    /// Marks chunks that may fill a gap between a run's last sample and what comes after it.
    fn reach_behind(&self, times: &[i64], run: &Run, spans: &[Span], needed: &mut [bool]) {
        if run.to > self.range.max {
            return;
        }
        let last = &self.cells[run.cells.1];
        let after = self.cells.get(run.cells.1 + 1).filter(|next| last.goes_on_in(next));
        let next = spans.partition_point(|span| span.range.min < run.to);
        let own = || times[last.at + last.own..self.inside.end].first().copied();
        let others = || Some(spans.get(next)?.range.min);
        let near = |t: &i64| *t < run.to.saturating_add(CELL_MS);
        let to = match after {
            Some(after) => Some(after.first),
            None => [own(), others()].into_iter().flatten().filter(near).max(),
        };
        let Some(to) = to else { return };
        if !is_gap(to.saturating_sub(last.last), last.least) {
            return;
        }
        let from = last.last.saturating_add(1).max(run.to - EDGE_MS);
        for (span, needed) in spans[..next].iter().zip(needed).rev() {
            let latest = span.range.max.min(run.to - 1);
            if latest < from {
                return;
            }
            let most = gap_for(to.saturating_sub(last.last)).min((latest - last.last).saturating_mul(2));
            *needed |= last.interval_is_within(times, most.saturating_add(SLACK_MS));
        }
    }

    /// Marks chunks that may fill a gap between what comes before a run and its first sample.
    fn reach_before(&self, times: &[i64], run: &Run, spans: &[Span], needed: &mut [bool]) {
        if run.from <= self.range.min {
            return;
        }
        let first = &self.cells[run.cells.0];
        let before = run.cells.0.checked_sub(1).map(|i| &self.cells[i]).filter(|before| before.goes_on_in(first));
        let next = spans.partition_point(|span| span.range.max < run.from);
        let own = || times[self.inside.start..first.at].last().copied();
        let others = || Some(spans[..next].last()?.range.max);
        let near = |t: &i64| *t >= run.from.saturating_sub(CELL_MS);
        let from = match before {
            Some(before) => Some(before.last),
            None => [own(), others()].into_iter().flatten().filter(near).min(),
        };
        let Some(from) = from else { return };
        if !is_gap(first.first.saturating_sub(from), first.least) {
            return;
        }
        let to = first.first.saturating_sub(1).min(run.from.saturating_add(EDGE_MS));
        for (span, needed) in spans[next..].iter().zip(&mut needed[next..]) {
            let earliest = span.range.min.max(run.from);
            if earliest > to {
                return;
            }
            let most = gap_for(first.first.saturating_sub(from)).min((first.first - earliest).saturating_mul(2));
            *needed |= first.interval_is_within(times, most.saturating_add(SLACK_MS));
        }
    }

    /// Where more than the first replica's samples may be taken, into `found`, which is replaced: what is not settled,
    /// with the cell on either side. Ascending; what is between them is the first replica's. `any` tells
    /// whether another replica may have samples in a range.
    pub fn unsettled(&self, any: impl Fn(TimeRange) -> bool, found: &mut Vec<Stretch>) {
        found.clear();
        let mut before: Option<&Run> = None;
        for run in self.runs.iter().map(Some).chain([None]) {
            let (last, next) = (before.map(|run| &self.cells[run.cells.1]), run.map(|run| &self.cells[run.cells.0]));
            let (from, at) = last.map_or((self.range.min, self.inside.start), |c| (c.end(), c.at + c.own));
            let (to, end) = next.map_or((self.range.max, self.inside.end), |c| (c.start() - 1, c.at));
            let is_border = from > to && last.is_some() && next.is_some();
            if is_border || at < end || (from <= to && any(TimeRange::new(from, to))) {
                let (min, at) = last.map_or((self.range.min, at), |cell| (cell.start(), cell.at));
                let (max, end) = next.map_or((self.range.max, end), |cell| (cell.end() - 1, cell.at + cell.own));
                let (min, max) = (min.max(self.range.min), max.min(self.range.max));
                match found.last_mut() {
                    Some(last) if last.range.max >= min => (last.range.max, last.first.end) = (max, end),
                    _ => found.push(Stretch { range: TimeRange::new(min, max), first: at..end }),
                }
            }
            before = run;
        }
    }

    /// The number of samples and what they look like in the cell with this number, if it is whole.
    pub(super) fn whole(&self, number: i64) -> Option<(usize, Seen)> {
        let cell = self.cells.get(self.cells.partition_point(|cell| cell.number < number))?;
        let seen = Seen { least: cell.least, most: cell.most, stale: false };
        (cell.number == number).then_some((cell.own, seen))
    }

    /// The spans that touch the range, and the part that does.
    fn clipped<'a>(&self, spans: &'a [Span]) -> impl Iterator<Item = (TimeRange, &'a Span)> + use<'a> {
        let range = self.range;
        spans.iter().filter(move |span| span.range.overlaps(range)).map(move |s| (s.range.intersection(range), s))
    }
}

fn find_whole((t, v): (&[i64], &[f64]), inside: Range<usize>, mut spans: Walk<'_>, cells: &mut Vec<Whole>) {
    let Range { start: mut at, end } = inside;
    // Most cells have as many samples as the one before.
    let mut guess = 0;
    while at < end {
        let number = t[at].div_euclid(CELL_MS);
        let start = number.saturating_mul(CELL_MS);
        let behind = start.saturating_add(CELL_MS);
        let likely = (at + guess).min(end);
        let n = match (t[at..likely].last(), t[likely..end].first()) {
            (Some(&last), next) if last < behind && next.is_none_or(|&next| next >= behind) => likely - at,
            _ => t[at..end].partition_point(|&t| t < behind),
        };
        let (times, values) = (&t[at..at + n], &v[at..at + n]);
        let seen = match spans.next(start) {
            // The cell may be cut off by the range.
            Ok(Some(cell)) if cell.samples == n => Some((cell.least, cell.most)),
            _ => look_for_gaps(times, values, start).map(|seen| (seen.least, seen.most)),
        };
        if let Some((least, most)) = seen {
            let (first, last) = (times[0], times[n - 1]);
            cells.push(Whole { number, at, own: n, others: 0, open: false, first, last, least, most });
        }
        (at, guess) = (at + n, n);
    }
}
