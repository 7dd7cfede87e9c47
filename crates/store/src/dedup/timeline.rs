use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use block::Columns;
use model::histogram::CounterResetHint;
use model::{TimeRange, is_stale};

use super::{Part, Span, Survey};

/// The samples of one replica in the order of time, whatever their kind.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    columns: &'a Columns,
    pub(super) times: Cow<'a, [i64]>,
    /// Where sample `i` lies: a float's index, or a histogram's with [`HISTOGRAM`] set. Empty where there
    /// are floats only.
    order: Vec<u32>,
    /// How many floats lie before the first.
    skip: usize,
    /// Where samples may lie that are not known, ascending.
    holes: &'a [Span],
    /// What is known of its cells beforehand.
    pub(super) survey: Option<&'a Survey>,
    /// Somebody asked for samples in a hole.
    missed: Cell<bool>,
}

const HISTOGRAM: u32 = 1 << 31;

impl<'a> Timeline<'a> {
    pub(super) fn new(columns: &'a Columns) -> Self {
        let mut timeline = Self::within(columns, 0..columns.t.len(), &[]);
        if !columns.ht.is_empty() {
            timeline.interleave(0..columns.t.len(), 0..columns.ht.len());
        }
        timeline
    }

    /// The floats within `range`.
    pub(super) fn of_floats(part: &Part<'a>, range: TimeRange) -> Self {
        let inside = inside(&part.columns.t[part.floats.clone()], range);
        let floats = part.floats.start + inside.start..part.floats.start + inside.end;
        Self::within(part.columns, floats, part.holes)
    }

    fn within(columns: &'a Columns, floats: Range<usize>, holes: &'a [Span]) -> Self {
        Self {
            columns,
            times: Cow::Borrowed(&columns.t[floats.clone()]),
            order: Vec::new(),
            skip: floats.start,
            holes,
            survey: None,
            missed: Cell::new(false),
        }
    }

    fn interleave(&mut self, floats: Range<usize>, histograms: Range<usize>) {
        let index = |i: usize| u32::try_from(i).expect("a series has fewer than 2^31 samples");
        let len = floats.len() + histograms.len();
        let (mut times, mut order) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let (mut f, mut h, columns) = (floats.start, histograms.start, self.columns);
        while f < floats.end || h < histograms.end {
            let float = h == histograms.end || (f < floats.end && columns.t[f] <= columns.ht[h]);
            if float {
                times.push(columns.t[f]);
                order.push(index(f));
                f += 1;
            } else {
                times.push(columns.ht[h]);
                order.push(index(h) | HISTOGRAM);
                h += 1;
            }
        }
        (self.times, self.order) = (Cow::Owned(times), order);
    }

    /// Whether samples between two times, both included, may be unknown.
    pub(super) fn hides(&self, from: i64, to: i64) -> bool {
        Span::any_in(self.holes, TimeRange { min: from, max: to })
    }

    /// Notes that somebody needs all samples between two times, both included.
    pub(super) fn need(&self, from: i64, to: i64) {
        if self.hides(from, to) {
            self.missed.set(true);
        }
    }

    /// Whether all samples that somebody needed were there.
    pub(super) fn sufficed(&self) -> bool {
        !self.missed.get()
    }

    pub(super) fn stale(&self, i: usize) -> bool {
        match self.order.get(i) {
            None => is_stale(self.columns.v[self.skip + i]),
            Some(&at) if at & HISTOGRAM == 0 => is_stale(self.columns.v[at as usize]),
            Some(&at) => is_stale(self.columns.h[(at & !HISTOGRAM) as usize].sum),
        }
    }

    /// The values of these samples, where there are floats only; else none.
    pub(super) fn floats(&self, range: Range<usize>) -> &'a [f64] {
        if !self.order.is_empty() {
            return &[];
        }
        &self.columns.v[self.skip + range.start..self.skip + range.end]
    }

    /// Whether there is a staleness marker among samples of which some are histograms.
    pub(super) fn any_stale_mixed(&self, range: Range<usize>) -> bool {
        !self.order.is_empty() && range.into_iter().any(|i| self.stale(i))
    }
}

/// The samples of ascending `times` within `range`.
fn inside(times: &[i64], range: TimeRange) -> Range<usize> {
    // Often it was cut to the range before.
    if let (Some(&first), Some(&last)) = (times.first(), times.last())
        && range.contains(first)
        && range.contains(last)
    {
        return 0..times.len();
    }
    let end = times.partition_point(|&t| t <= range.max);
    times[..end].partition_point(|&t| t < range.min)..end
}

/// Writes runs of samples of several timelines into columns.
#[derive(Debug)]
pub(super) struct Writer<'a, 'b> {
    timelines: &'a [Timeline<'b>],
    out: &'a mut Columns,
    /// The replica written last and where its next sample lies.
    last: (usize, usize),
}

impl<'a, 'b> Writer<'a, 'b> {
    /// Appends to `out`.
    pub(super) fn new(timelines: &'a [Timeline<'b>], out: &'a mut Columns) -> Self {
        Self { timelines, out, last: (usize::MAX, 0) }
    }

    /// Appends samples of one replica.
    pub(super) fn copy(&mut self, replica: usize, range: Range<usize>) {
        let Timeline { columns, order, skip, .. } = &self.timelines[replica];
        let goes_on = std::mem::replace(&mut self.last, (replica, range.end)) == (replica, range.start);
        if order.is_empty() {
            let range = skip + range.start..skip + range.end;
            if !columns.st.is_empty() {
                self.out.st.resize(self.out.t.len(), 0);
                self.out.st.extend_from_slice(&columns.st[range.clone()]);
            }
            self.out.t.extend_from_slice(&columns.t[range.clone()]);
            self.out.v.extend_from_slice(&columns.v[range]);
            self.out.level_starts();
            return;
        }
        let first_histogram = self.out.h.len();
        for &at in &order[range] {
            let i = (at & !HISTOGRAM) as usize;
            if at & HISTOGRAM == 0 {
                self.out.t.push(columns.t[i]);
                self.out.v.push(columns.v[i]);
                self.out.set_last_start(columns.start(i));
            } else {
                self.out.ht.push(columns.ht[i]);
                self.out.h.push(columns.h[i].clone());
                self.out.set_last_histogram_start(columns.histogram_start(i));
            }
        }
        // The hint speaks of the predecessor in its own replica, which is another one here.
        if let Some(h) = self.out.h.get_mut(first_histogram)
            && !goes_on
            && h.counter_reset_hint != CounterResetHint::Gauge
        {
            h.counter_reset_hint = CounterResetHint::Unknown;
        }
    }
}
