use std::ops::Range;

use block::Columns;

use super::CELL_MS;
use super::timeline::{Timeline, Writer};

/// What is taken for the scrape interval where no replica has two samples in a cell.
const UNKNOWN_INTERVAL_MS: i64 = 60_000;

/// Deduplicates replicas, given in the order of their replica labels, into `out`, which is replaced.
///
/// In a cell the replica with the most samples is elected; within 2 % of the most, the first. From the
/// others come only samples that lie in a gap of more than 1.5 scrape intervals (the median of the
/// elected replica's in this cell) and half an interval away from what is taken already. A staleness
/// marker is kept where it is the elected replica's, or follows a sample taken from its own replica, and
/// no taken sample follows within 1.5 intervals: it says that all replicas have lost the series.
pub fn stable(replicas: &[Columns], out: &mut Columns) {
    let timelines: Vec<_> = replicas.iter().map(Timeline::new).collect();
    let mut out = Writer::new(&timelines, out);
    let mut at = vec![0; replicas.len()];
    let mut slices: Vec<Range<usize>> = Vec::with_capacity(replicas.len());
    let mut cell = Cell::default();
    while let Some(first) = next_time(&timelines, &at) {
        let start = first.div_euclid(CELL_MS) * CELL_MS;
        let end = start.saturating_add(CELL_MS);
        slices.clear();
        for (timeline, at) in timelines.iter().zip(&mut at) {
            let n = timeline.times[*at..].partition_point(|&t| t < end);
            slices.push(*at..*at + n);
            *at += n;
        }
        let elected = elect(&slices);
        let lone = slices.iter().filter(|s| !s.is_empty()).count() == 1;
        if lone || covers(&timelines[elected], slices[elected].clone(), start, end) {
            out.copy(elected, slices[elected].clone());
        } else {
            cell.fill(&timelines, &slices, elected, (start, end));
            cell.copy(&mut out);
        }
    }
}

fn next_time(timelines: &[Timeline<'_>], at: &[usize]) -> Option<i64> {
    timelines.iter().zip(at).filter_map(|(l, &at)| l.times.get(at)).min().copied()
}

fn elect(slices: &[Range<usize>]) -> usize {
    let most = slices.iter().map(Range::len).max().unwrap_or(0);
    slices.iter().position(|s| s.len() * 100 >= most * 98).unwrap_or(0)
}

/// Whether a replica's samples have no gap and no marker in the cell, so that it needs no other. Sure
/// when `true`: every distance is within 1.5 of the least, which is at most the median.
fn covers(timeline: &Timeline<'_>, slice: Range<usize>, start: i64, end: i64) -> bool {
    let times = &timeline.times[slice.clone()];
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return false };
    let (mut least, mut most) = (i64::MAX, (first - start).max(end - last));
    for pair in times.windows(2) {
        least = least.min(pair[1] - pair[0]);
        most = most.max(pair[1] - pair[0]);
    }
    times.len() > 1 && !is_gap(most, least) && !timeline.any_stale(slice)
}

/// Over 1.5 intervals.
fn is_gap(distance: i64, interval: i64) -> bool {
    distance.saturating_mul(2) > interval.saturating_mul(3)
}

/// One taken sample: its time, its replica and its place in that replica's timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pick {
    t: i64,
    replica: usize,
    i: usize,
}

/// A cell in which the elected replica has a gap or a marker. Kept for its memory.
#[derive(Debug, Default)]
struct Cell {
    picks: Vec<Pick>,
    extra: Vec<Pick>,
    distances: Vec<i64>,
}

impl Cell {
    /// Collects what is taken of the cell.
    fn fill(&mut self, timelines: &[Timeline<'_>], slices: &[Range<usize>], elected: usize, bounds: (i64, i64)) {
        let samples = |replica: usize, stale: bool| {
            let timeline = &timelines[replica];
            let kept = slices[replica].clone().filter(move |&i| timeline.stale(i) == stale);
            kept.map(move |i| Pick { t: timeline.times[i], replica, i })
        };
        self.picks.clear();
        self.picks.extend(samples(elected, false));
        let interval = self.interval(timelines, slices);
        let others = || (0..timelines.len()).filter(move |&r| r != elected);
        for replica in others() {
            self.extra.clear();
            let picks = &self.picks;
            self.extra.extend(samples(replica, false).filter(|p| fits(p.t, picks, interval, bounds)));
            self.merge_extra();
        }
        self.extra.clear();
        for replica in 0..timelines.len() {
            let picks = &self.picks;
            let markers = samples(replica, true);
            self.extra.extend(markers.filter(|m| ends_series(m, picks, elected, interval)));
        }
        self.merge_extra();
    }

    /// The median distance between the elected replica's samples; else between all replicas' own.
    fn interval(&mut self, timelines: &[Timeline<'_>], slices: &[Range<usize>]) -> i64 {
        let Self { picks, distances, .. } = self;
        distances.clear();
        distances.extend(picks.windows(2).map(|w| w[1].t - w[0].t));
        if distances.is_empty() {
            for (timeline, slice) in timelines.iter().zip(slices) {
                distances.extend(timeline.times[slice.clone()].windows(2).map(|w| w[1] - w[0]));
            }
        }
        if distances.is_empty() {
            return UNKNOWN_INTERVAL_MS;
        }
        let middle = (distances.len() - 1) / 2;
        *distances.select_nth_unstable(middle).1
    }

    fn merge_extra(&mut self) {
        if !self.extra.is_empty() {
            self.picks.append(&mut self.extra);
            self.picks.sort_unstable();
            // Markers of two replicas at the same instant.
            self.picks.dedup_by_key(|p| p.t);
        }
    }

    /// Copies runs of neighbours in one go.
    fn copy(&self, out: &mut Writer<'_, '_>) {
        for run in self.picks.chunk_by(|a, b| a.replica == b.replica && a.i + 1 == b.i) {
            out.copy(run[0].replica, run[0].i..run[0].i + run.len());
        }
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

/// Whether a marker says that the merged series ends, not only its own replica's.
fn ends_series(marker: &Pick, picks: &[Pick], elected: usize, interval: i64) -> bool {
    let next = picks.partition_point(|p| p.t <= marker.t);
    let before = next.checked_sub(1).map(|i| picks[i]);
    let own = marker.replica == elected || before.is_some_and(|p| p.replica == marker.replica);
    own && before.is_none_or(|p| p.t != marker.t) && picks.get(next).is_none_or(|p| is_gap(p.t - marker.t, interval))
}
