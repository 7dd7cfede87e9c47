use std::ops::Range;

use block::Columns;
use model::TimeRange;

use super::scan::{count_within, look_over};
use super::timeline::{Timeline, Writer};
use super::{CELL_MS, EDGE_MS, Span, Survey};

/// What is taken for the scrape interval where no replica has two samples in a cell.
const UNKNOWN_INTERVAL_MS: i64 = 60_000;

/// Deduplicates replicas, given in the order of their replica labels, into `out`, which is replaced.
///
/// In a cell the replica with the most samples is elected; within 2 % of the most, the first. From the
/// others come only samples that lie in a gap of more than 1.5 scrape intervals (the median of the
/// elected replica's in this cell) and half an interval away from what is taken already; a gap across
/// the border of two cells is filled likewise, up to [`EDGE_MS`] from the border. A staleness marker is
/// kept where it is the elected replica's, or follows a sample taken from its own replica, and no other
/// replica goes on within 1.5 intervals: it says that all replicas have lost the series.
pub fn stable(replicas: &[Columns], out: &mut Columns) {
    let timelines: Vec<_> = replicas.iter().map(Timeline::new).collect();
    out.clear();
    Cells::default().merge(&timelines, out);
}

/// Some floats of a replica, and where others may lie.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    pub columns: &'a Columns,
    /// Which of the columns' floats; histograms are left out.
    pub floats: Range<usize>,
    /// Where samples of the replica may lie that are not among them, ascending;
    /// [`Survey::needed`] finds chunks that can be left out.
    pub holes: &'a [Span],
}

/// Merges replicas of floats cell by cell. Kept for its memory.
#[derive(Debug, Default)]
pub struct Cells {
    /// Where each replica's next sample lies.
    at: Vec<usize>,
    cell: Cell,
    next: Cell,
}

impl Cells {
    /// Appends to `out` what [`stable`] makes of the samples within `range` where of some replicas not all are there.
    /// All of replica `lead` are, and `survey` has looked at them. `false` where one of the others was needed
    /// after all: what was appended is then to be thrown away.
    #[must_use]
    pub fn merge_within(
        &mut self,
        parts: &[Part<'_>],
        (lead, survey): (usize, &Survey),
        range: TimeRange,
        out: &mut Columns,
    ) -> bool {
        let mut timelines: Vec<_> = parts.iter().map(|part| Timeline::of_floats(part, range)).collect();
        if let Some(lead) = timelines.get_mut(lead) {
            lead.survey = Some(survey);
        }
        self.merge(&timelines, out);
        timelines.iter().all(Timeline::sufficed)
    }

    fn merge(&mut self, timelines: &[Timeline<'_>], out: &mut Columns) {
        let Self { at, cell, next } = self;
        let mut out = Writer::new(timelines, out);
        at.clear();
        at.resize(timelines.len(), 0);
        cell.empty();
        while let Some(first) = next_time(timelines, at) {
            next.take(timelines, at, first.div_euclid(CELL_MS) * CELL_MS);
            Cell::bridge(cell, next, timelines);
            cell.copy(&mut out);
            std::mem::swap(cell, next);
        }
        cell.copy(&mut out);
    }
}

fn next_time(timelines: &[Timeline<'_>], at: &[usize]) -> Option<i64> {
    timelines.iter().zip(at).filter_map(|(l, &at)| l.times.get(at)).min().copied()
}

fn elect(slices: &[Range<usize>]) -> usize {
    let most = slices.iter().map(Range::len).max().unwrap_or(0);
    slices.iter().position(|s| is_enough(s.len(), most)).unwrap_or(0)
}

/// Whether a replica with `own` samples is as good as one with the `most`.
pub(super) fn is_enough(own: usize, most: usize) -> bool {
    own.saturating_mul(100) >= most.saturating_mul(98)
}

/// Over 1.5 intervals.
pub(super) fn is_gap(distance: i64, interval: i64) -> bool {
    distance.saturating_mul(2) > interval.saturating_mul(3)
}

/// The longest interval for which a distance is a gap.
pub(super) fn gap_for(distance: i64) -> i64 {
    (distance.saturating_mul(2) - 1).div_euclid(3)
}

/// Whether the middle one of the distances between at least two times, of two the lower, is at most so much.
fn middle_is_within(times: &[i64], most: i64) -> bool {
    count_within(times, most) > (times.len() - 2) / 2
}

/// Whether the scrape interval of at least two samples, which are no less and no more than these bounds from each other, is
/// at most so much.
pub(super) fn interval_is_within(times: &[i64], (least, most): (i64, i64), bound: i64) -> bool {
    bound >= least && (bound >= most || middle_is_within(times, bound))
}

/// The longest interval for which there is a gap between two samples into which one at `t` fits.
pub(super) fn fits_for(t: i64, (from, to): (i64, i64)) -> i64 {
    let near = t.saturating_sub(from).min(to.saturating_sub(t));
    gap_for(to.saturating_sub(from)).min(near.saturating_mul(2))
}

/// One taken sample: its time, its replica and its place in that replica's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pick {
    t: i64,
    replica: usize,
    i: usize,
}

/// What is taken of one cell. Kept for its memory.
#[derive(Debug, Default)]
struct Cell {
    start: i64,
    end: i64,
    /// Each replica's samples in the cell.
    slices: Vec<Range<usize>>,
    elected: usize,
    /// All samples of the elected replica and no others are taken; none is a marker. `picks` is unused.
    whole: bool,
    /// Ascending.
    picks: Vec<Pick>,
    /// The first and the last sample that are no markers, before any bridge to the neighbours.
    ends: Option<(Pick, Pick)>,
    /// No distance between the taken samples of the elected replica is less; of a cell that is not whole, their middle.
    least_distance: i64,
    /// Of a whole cell: none is more.
    most_distance: i64,
    extra: Vec<Pick>,
    distances: Vec<i64>,
}

impl Cell {
    /// Decides on the cell that begins at `start` and moves `at` behind it.
    fn take(&mut self, timelines: &[Timeline<'_>], at: &mut [usize], start: i64) {
        (self.start, self.end) = (start, start.saturating_add(CELL_MS));
        self.slices.clear();
        for (timeline, at) in timelines.iter().zip(at) {
            let n = timeline.times[*at..].partition_point(|&t| t < self.end);
            self.slices.push(*at..*at + n);
            *at += n;
        }
        self.elected = elect(&self.slices);
        self.whole = self.is_whole(timelines);
        if self.whole {
            let slice = &self.slices[self.elected];
            let pick = |i: usize| Pick { t: timelines[self.elected].times[i], replica: self.elected, i };
            self.ends = Some((pick(slice.start), pick(slice.end - 1)));
        } else {
            for timeline in timelines {
                timeline.need(self.start, self.end - 1);
            }
            self.fill(timelines);
        }
    }

    /// Whether the elected replica needs no other in this cell. Sure when `true`: every distance is within
    /// 1.5 of the least, which is at most the median.
    fn is_whole(&mut self, timelines: &[Timeline<'_>]) -> bool {
        let slice = self.slices[self.elected].clone();
        let timeline = &timelines[self.elected];
        if let Some((own, seen)) = timeline.survey.and_then(|s| s.whole(self.start.div_euclid(CELL_MS)))
            && own == slice.len()
        {
            (self.least_distance, self.most_distance) = (seen.least, seen.most);
            return true;
        }
        let times = &timeline.times[slice.clone()];
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return false };
        let seen = look_over(times, timeline.floats(slice.clone()));
        let (least, most) = (seen.least, seen.most.max(first - self.start).max(self.end - last));
        (self.least_distance, self.most_distance) = (least, seen.most);
        let (start, last) = (self.start, self.end - 1);
        let is_lone = || {
            let elected = self.elected;
            let mut others = timelines.iter().zip(&self.slices).enumerate().filter(|(r, _)| *r != elected);
            others.all(|(_, (timeline, slice))| slice.is_empty() && !timeline.hides(start, last))
        };
        ((times.len() > 1 && !is_gap(most, least)) || is_lone()) && !seen.stale && !timeline.any_stale_mixed(slice)
    }

    /// Collects picks where the elected replica has a gap or a marker.
    fn fill(&mut self, timelines: &[Timeline<'_>]) {
        let slices = &self.slices;
        let samples = |replica: usize, stale: bool| samples(timelines, replica, slices[replica].clone(), stale);
        self.picks.clear();
        self.picks.extend(samples(self.elected, false));
        let interval = median(&self.picks, slices, timelines, &mut self.distances);
        self.least_distance = interval;
        for replica in (0..timelines.len()).filter(|&r| r != self.elected) {
            self.extra.clear();
            let (picks, bounds) = (&self.picks, (self.start, self.end));
            self.extra.extend(samples(replica, false).filter(|p| fits(p.t, picks, interval, bounds)));
            merge(&mut self.picks, &mut self.extra);
        }
        self.ends = self.picks.first().copied().zip(self.picks.last().copied());
        self.extra.clear();
        for replica in 0..timelines.len() {
            let picks = &self.picks;
            let own = |m: &Pick| {
                let before = picks[..picks.partition_point(|p| p.t <= m.t)].last();
                (replica == self.elected || before.is_some_and(|p| p.replica == replica))
                    && before.is_none_or(|p| p.t != m.t)
            };
            self.extra.extend(samples(replica, true).filter(|m| own(m) && ends_series(m, timelines, interval)));
        }
        merge(&mut self.picks, &mut self.extra);
    }

    /// Fills a gap across the border of two neighbouring cells.
    fn bridge(before: &mut Self, after: &mut Self, timelines: &[Timeline<'_>]) {
        let (Some((_, from)), Some((to, _))) = (before.ends, after.ends) else { return };
        let (border, distance) = (after.start, to.t - from.t);
        if before.end != border || !is_gap(distance, before.least_distance.min(after.least_distance)) {
            return;
        }
        if !before.finds_gap(distance, timelines) && !after.finds_gap(distance, timelines) {
            return;
        }
        let interval = before.interval(timelines).min(after.interval(timelines));
        let mut picks = vec![from, to];
        for replica in 0..timelines.len() {
            let near = before.slices[replica].start..after.slices[replica].end;
            let (first, last) = (from.t.max(border - EDGE_MS - 1), to.t.min(border + EDGE_MS));
            // Others do not fit.
            let half = interval.saturating_add(1).div_euclid(2).max(1);
            let (earliest, latest) = (from.t.saturating_add(half), to.t.saturating_sub(half));
            timelines[replica].need(first.saturating_add(1).max(earliest), last.saturating_sub(1).min(latest));
            let times = &timelines[replica].times[near.clone()];
            let (a, b) = (times.partition_point(|&t| t <= first), times.partition_point(|&t| t < last));
            let candidates = samples(timelines, replica, near.start + a..near.start + b.max(a), false);
            let mut extra: Vec<_> = candidates.filter(|p| fits(p.t, &picks, interval, (from.t, to.t))).collect();
            merge(&mut picks, &mut extra);
        }
        for pick in &picks[1..picks.len() - 1] {
            if pick.t < border { before.add(*pick, timelines) } else { after.add(*pick, timelines) }
        }
    }

    /// Whether a distance is a gap by this cell's scrape interval, without looking for the interval itself: the
    /// median is below a bound where more than half of the distances are.
    fn finds_gap(&mut self, distance: i64, timelines: &[Timeline<'_>]) -> bool {
        let times = &timelines[self.elected].times[self.slices[self.elected].clone()];
        if !self.whole || times.len() < 2 {
            return is_gap(distance, self.interval(timelines));
        }
        if is_gap(distance, self.most_distance) {
            return true;
        }
        middle_is_within(times, gap_for(distance))
    }

    /// Forgets what was taken.
    fn empty(&mut self) {
        (self.whole, self.ends) = (false, None);
        self.picks.clear();
    }

    /// The scrape interval of the elected replica.
    fn interval(&mut self, timelines: &[Timeline<'_>]) -> i64 {
        if !self.whole {
            return self.least_distance;
        }
        let times = &timelines[self.elected].times[self.slices[self.elected].clone()];
        if times.len() < 2 {
            self.pick_all(timelines);
            return median(&self.picks, &self.slices, timelines, &mut self.distances);
        }
        let distances = times.windows(2).map(|pair| pair[1] - pair[0]);
        if let Some(interval) = middle_near(self.least_distance, distances.clone()) {
            return interval;
        }
        self.distances.clear();
        self.distances.extend(distances);
        middle(&mut self.distances).unwrap_or(UNKNOWN_INTERVAL_MS)
    }

    /// Picks all samples of the elected replica, none of which is a marker.
    fn pick_all(&mut self, timelines: &[Timeline<'_>]) {
        let (replica, slice) = (self.elected, self.slices[self.elected].clone());
        let times = &timelines[replica].times[slice.clone()];
        self.picks.clear();
        self.picks.extend(times.iter().zip(slice).map(|(&t, i)| Pick { t, replica, i }));
    }

    fn add(&mut self, pick: Pick, timelines: &[Timeline<'_>]) {
        if self.whole {
            // What is added has no say in it.
            self.least_distance = self.interval(timelines);
            self.whole = false;
            self.pick_all(timelines);
        }
        let i = self.picks.partition_point(|p| p.t < pick.t);
        if self.picks.get(i).is_none_or(|p| p.t != pick.t) {
            self.picks.insert(i, pick);
        }
    }

    /// Copies runs of neighbours in one go.
    fn copy(&self, out: &mut Writer<'_, '_>) {
        if self.whole {
            return out.copy(self.elected, self.slices[self.elected].clone());
        }
        for run in self.picks.chunk_by(|a, b| a.replica == b.replica && a.i + 1 == b.i) {
            out.copy(run[0].replica, run[0].i..run[0].i + run.len());
        }
    }
}

/// The samples of a replica that are, or are not, staleness markers.
fn samples(timelines: &[Timeline<'_>], replica: usize, range: Range<usize>, stale: bool) -> impl Iterator<Item = Pick> {
    let timeline = &timelines[replica];
    let kept = range.filter(move |&i| timeline.stale(i) == stale);
    kept.map(move |i| Pick { t: timeline.times[i], replica, i })
}

/// The median distance between `picks`; with fewer than two, between all replicas' own samples.
fn median(picks: &[Pick], slices: &[Range<usize>], timelines: &[Timeline<'_>], distances: &mut Vec<i64>) -> i64 {
    distances.clear();
    distances.extend(picks.windows(2).map(|w| w[1].t - w[0].t));
    if distances.is_empty() {
        for (timeline, slice) in timelines.iter().zip(slices) {
            distances.extend(timeline.times[slice.clone()].windows(2).map(|w| w[1] - w[0]));
        }
    }
    middle(distances).unwrap_or(UNKNOWN_INTERVAL_MS)
}

/// The middle one of some distances, of two the lower; they change places.
pub(super) fn middle(distances: &mut [i64]) -> Option<i64> {
    let rank = distances.len().checked_sub(1)? / 2;
    let least = distances.iter().copied().min()?;
    let counted = middle_near(least, distances.iter().copied());
    Some(counted.unwrap_or_else(|| *distances.select_nth_unstable(rank).1))
}

/// As [`middle`], where it is within some milliseconds of the `least`. Scrapes are regular, so mostly it is, and
/// counting is quicker than sorting.
fn middle_near(least: i64, distances: impl ExactSizeIterator<Item = i64>) -> Option<i64> {
    let rank = distances.len().checked_sub(1)? / 2;
    let mut counts = [0_usize; 64];
    for distance in distances {
        let more = usize::try_from(distance.wrapping_sub(least).cast_unsigned());
        if let Some(count) = more.ok().and_then(|more| counts.get_mut(more)) {
            *count += 1;
        }
    }
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen > rank
    });
    found.map(|more| least + more as i64)
}

/// Moves `extra` into `picks`; of several at the same time the first replica's stays.
fn merge(picks: &mut Vec<Pick>, extra: &mut Vec<Pick>) {
    if !extra.is_empty() {
        picks.append(extra);
        picks.sort_unstable();
        picks.dedup_by_key(|p| p.t);
    }
}

/// Whether a sample at `t` lies in a gap between `picks`, half an interval away from them.
fn fits(t: i64, picks: &[Pick], interval: i64, (start, end): (i64, i64)) -> bool {
    let next = picks.partition_point(|p| p.t < t);
    let after = picks.get(next).map(|p| p.t);
    let before = next.checked_sub(1).map(|i| picks[i].t);
    is_gap(after.unwrap_or(end) - before.unwrap_or(start), interval)
        && before.is_none_or(|b| (t - b) * 2 >= interval)
        && after.is_none_or(|a| (a - t) * 2 >= interval)
}

/// Whether no other replica goes on after the marker.
fn ends_series(marker: &Pick, timelines: &[Timeline<'_>], interval: i64) -> bool {
    let goes_on = |timeline: &Timeline<'_>| {
        timeline.need(marker.t, marker.t.saturating_add(EDGE_MS));
        let next = timeline.times.partition_point(|&t| t <= marker.t);
        let soon = |t: i64| !is_gap(t - marker.t, interval) && t - marker.t <= EDGE_MS;
        timeline.times.get(next).is_some_and(|&t| soon(t)) && !timeline.stale(next)
    };
    !timelines.iter().enumerate().any(|(r, timeline)| r != marker.replica && goes_on(timeline))
}
