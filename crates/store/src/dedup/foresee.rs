use model::TimeRange;

use super::cells::{fits_for, is_enough, is_gap};
use super::sparse::SLACK_MS;
use super::{CELL_MS, EDGE_MS, Span};

/// So many samples more than the interval tells are decoded of a chunk that is not decoded to its end.
const SPARE: i64 = 2;

const TWO_CELLS_MS: i64 = 2 * CELL_MS;

/// Foresees from chunks' times and lengths which samples of other replicas will be needed beside those of the first, so
/// that they can be decoded together. It is a guess: [`Survey`](super::Survey) says what is needed, and what is
/// foreseen in vain changes nothing. Kept for its memory.
#[derive(Debug, Default)]
pub struct Foresight {
    /// Between two samples of the first replica; 0 where that is not known.
    interval_ms: i64,
    gaps: Vec<Gap>,
}

/// Cells in which the first replica seems to leave a gap.
#[derive(Debug)]
struct Gap {
    /// In milliseconds, half open.
    from: i64,
    to: i64,
    /// Its last sample before, and its first behind.
    before: Option<i64>,
    behind: Option<i64>,
}

impl Foresight {
    /// Looks at the chunks of the first replica, which ascend and do not overlap, within `range`; what was known before is
    /// forgotten.
    pub fn look(&mut self, first: &[Span], range: TimeRange) {
        self.gaps.clear();
        self.interval_ms = interval(first);
        let (mut last, end) = (range.min, range.max.saturating_add(1));
        if self.interval_ms == 0 {
            return;
        }
        for span in first.iter().filter(|span| span.range.overlaps(range)) {
            self.between(last, span.range.min);
            if leaves_gap(span, self.interval_ms) {
                let inside = span.range.intersection(range);
                self.mark(start(inside.min), start(inside.max));
            }
            last = span.range.max;
        }
        self.between(last, end);
        for gap in &mut self.gaps {
            gap.before = before(first, gap.from, self.interval_ms);
            gap.behind = behind(first, gap.to, self.interval_ms);
        }
    }

    /// How many samples the first replica, which has these chunks, seems to lack from its first to its last, and of what
    /// others have within `range`.
    #[must_use]
    pub fn lacking<'a>(&self, first: &[Span], others: impl Iterator<Item = &'a [Span]>, range: TimeRange) -> usize {
        let ends = |spans: &[Span]| Some(TimeRange::new(spans.first()?.range.min, spans.last()?.range.max));
        let others = others.filter_map(ends).map(|ends| ends.intersection(range));
        let all = others.chain(ends(first)).reduce(TimeRange::union).unwrap_or(range);
        let own: i64 = first.iter().map(|span| i64::from(span.samples)).sum();
        let whole = length(all).checked_div(self.interval_ms).unwrap_or(0).saturating_add(1);
        usize::try_from(whole.saturating_sub(own)).unwrap_or(0)
    }

    /// Appends to `limits` for each chunk of another replica, which ascend and do not overlap, how many of its samples
    /// will be needed.
    pub fn limits(&self, spans: &[Span], limits: &mut Vec<u32>) {
        let known = limits.len();
        limits.resize(known + spans.len(), 0);
        if self.interval_ms == 0 {
            return;
        }
        let limits = &mut limits[known..];
        self.count(spans, limits);
        for gap in &self.gaps {
            let a = spans.partition_point(|span| span.range.max < gap.from);
            let b = a + spans[a..].partition_point(|span| span.range.min < gap.to);
            for (span, limit) in spans[a..b].iter().zip(&mut limits[a..b]) {
                *limit = span.samples;
            }
            if let (Some(last), Some(before), Some(next)) = (a.checked_sub(1), gap.before, spans.get(a))
                && next.range.min >= gap.from
                && spans[last].range.max >= gap.from.saturating_sub(EDGE_MS)
                && self.fits(spans[last].range.max, (before, next.range.min))
            {
                limits[last] = spans[last].samples;
            }
            if let (Some(last), Some(behind), Some(next)) = (b.checked_sub(1), gap.behind, spans.get(b))
                && spans[last].range.max < gap.to
                && next.range.min <= gap.to.saturating_add(EDGE_MS)
                && self.fits(next.range.min, (spans[last].range.max, behind))
            {
                limits[b] = limits[b].max(front(next, behind));
            }
        }
    }

    /// Whether a sample at `t` fills a gap between two others.
    fn fits(&self, t: i64, (from, to): (i64, i64)) -> bool {
        fits_for(t, (from, to)).saturating_add(SLACK_MS) >= self.interval_ms
    }

    /// Notes the gap between two neighbouring samples, if it is one.
    fn between(&mut self, from: i64, to: i64) {
        if is_gap(to.saturating_sub(from), self.interval_ms) {
            let (first, last) = (start(from), start(to));
            let is_first = is_gap(first.saturating_add(CELL_MS).saturating_sub(from), self.interval_ms);
            let is_last = is_gap(to.saturating_sub(last), self.interval_ms);
            self.mark(
                if is_first { first } else { first.saturating_add(CELL_MS) },
                if is_last { last } else { last.saturating_sub(CELL_MS) },
            );
        }
    }

    /// Notes the cells that start from `first` to `last`, neither of which comes before the ones that were noted before.
    fn mark(&mut self, first: i64, last: i64) {
        if first > last {
            return;
        }
        let to = last.saturating_add(CELL_MS);
        match self.gaps.last_mut() {
            Some(gap) if gap.to >= first => gap.to = gap.to.max(to),
            _ => self.gaps.push(Gap { from: first, to, before: None, behind: None }),
        }
    }

    /// Foresees which chunks have to be counted, up to which of the borders they cross, to know that no more of their
    /// samples are in a cell than of the first replica.
    fn count(&self, spans: &[Span], limits: &mut [u32]) {
        let own = usize::try_from(CELL_MS / self.interval_ms).unwrap_or(usize::MAX);
        // The cell before, how many samples may be in it, and the first of its chunks.
        let (mut cell, mut samples, mut from) = (i64::MIN, 0_usize, 0);
        // Mostly it is the next cell, or the same.
        let near = |cell: i64, t: i64| match t.saturating_sub(cell) {
            0..CELL_MS => cell,
            CELL_MS..TWO_CELLS_MS => cell + CELL_MS,
            _ => start(t),
        };
        for (i, span) in spans.iter().enumerate() {
            let first = near(cell, span.range.min);
            let last = near(first, span.range.max);
            if first != cell {
                settle(&spans[from..i], &mut limits[from..i], (cell, samples, own));
                (cell, samples, from) = (first, 0, i);
            }
            if last == first {
                samples = samples.saturating_add(span.samples as usize);
                continue;
            }
            samples = samples.saturating_add(span.most_in(first));
            settle(&spans[from..=i], &mut limits[from..=i], (first, samples, own));
            if last.saturating_sub(first) > CELL_MS && !is_enough(own, span.most_in(first.saturating_add(CELL_MS))) {
                limits[i] = limits[i].max(front(span, last));
            }
            (cell, samples, from) = (last, span.most_in(last), i);
        }
        settle(&spans[from..], &mut limits[from..], (cell, samples, own));
    }
}

/// Sees to it that the chunks of a cell are decoded over its borders, if they may have more samples than is usual.
fn settle(spans: &[Span], limits: &mut [u32], (cell, samples, own): (i64, usize, usize)) {
    if is_enough(own, samples) {
        return;
    }
    let end = cell.saturating_add(CELL_MS);
    for (span, limit) in spans.iter().zip(limits) {
        if span.range.max >= end {
            *limit = (*limit).max(front(span, end));
        } else if span.range.min < cell {
            *limit = (*limit).max(front(span, cell));
        }
    }
}

/// How many of a chunk's samples it takes to get to `t`.
fn front(span: &Span, t: i64) -> u32 {
    let interval = length(span.range) / i64::from(span.samples).saturating_sub(1).max(1);
    let count = t.saturating_sub(span.range.min) / interval.max(1) + 1 + SPARE;
    span.samples.min(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whether a sample seems to be missing in a chunk.
fn leaves_gap(span: &Span, interval: i64) -> bool {
    let whole = interval.saturating_mul(i64::from(span.samples) - 1);
    length(span.range).saturating_sub(whole) > interval / 2
}

fn start(t: i64) -> i64 {
    t.div_euclid(CELL_MS).saturating_mul(CELL_MS)
}

fn length(range: TimeRange) -> i64 {
    range.max.saturating_sub(range.min)
}

/// The least mean distance of two samples in a chunk.
fn interval(spans: &[Span]) -> i64 {
    let mean = |span: &Span| length(span.range) as f64 / f64::from(span.samples.saturating_sub(1));
    let least = spans.iter().map(mean).fold(f64::INFINITY, f64::min);
    if least.is_finite() { least.round() as i64 } else { 0 }
}

/// The last sample before `t`.
fn before(spans: &[Span], t: i64, interval: i64) -> Option<i64> {
    let span = spans[..spans.partition_point(|span| span.range.min < t)].last()?.range;
    let inside = span.min.saturating_add((t - 1).saturating_sub(span.min) / interval * interval);
    Some(if span.max < t { span.max } else { inside })
}

/// The first sample at `t` or behind it.
fn behind(spans: &[Span], t: i64, interval: i64) -> Option<i64> {
    let span = spans.get(spans.partition_point(|span| span.range.max < t))?.range;
    let inside = span.max.saturating_sub(span.max.saturating_sub(t) / interval * interval);
    Some(if span.min >= t { span.min } else { inside })
}
