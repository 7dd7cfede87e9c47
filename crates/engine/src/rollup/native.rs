//! Rolling up series that have native histograms: step by step over both kinds of samples, on top of
//! what the float kernels gave.

mod extended;
mod growth;
mod statistics;

pub(crate) use statistics::keep_statistics;

use std::sync::Arc;

use block::Columns;
use model::{CounterResetHint, FloatHistogram};
use promql::Span;

use super::{Edges, Rollup, Shape, starts};
use crate::native::{self, Native};
use crate::notes::{HistogramOperation, Notes};
use crate::vector::{ABSENT, Histograms, is_absent};

/// What notes about the series say.
pub(crate) struct About<'a> {
    pub(crate) notes: &'a mut Notes,
    pub(crate) metric: &'a str,
    pub(crate) span: Span,
}

/// The samples of one window.
struct Window<'a> {
    t: &'a [i64],
    v: &'a [f64],
    /// Start timestamps of the floats; empty where there are none.
    st: &'a [i64],
    ht: &'a [i64],
    h: &'a [FloatHistogram],
    /// Start timestamps of the histograms; empty where there are none.
    hst: &'a [i64],
    start: i64,
    end: i64,
    range_ms: i64,
}

/// What a window gives.
enum Cell {
    /// What the float kernel gave stands.
    AsIs,
    Nothing,
    Float(f64),
    Histogram(FloatHistogram),
}

/// Corrects `out`, which the float kernel filled from the float samples alone, and gives the steps whose
/// value is a histogram. Without staleness markers among the histograms for range rollups.
pub(crate) fn roll(
    rollup: Rollup,
    shape: &Shape,
    columns: &Columns,
    out: &mut [f64],
    about: &mut About<'_>,
) -> Option<Histograms> {
    let mut histograms: Histograms = vec![None; out.len()].into();
    if rollup == Rollup::Smoothed {
        extended::smoothed(shape, columns, out, &mut histograms, about);
    } else if rollup.is_instant() {
        instant(rollup, shape, columns, out, &mut histograms);
    } else {
        for (step, out) in out.iter_mut().enumerate() {
            let end = shape.end(step);
            let start = end.saturating_sub(shape.window_ms);
            let open = shape.edges == Edges::Open;
            let (from, to) = if open { (start, end) } else { extended::bounds(shape, end) };
            let within = |t: &[i64]| t.partition_point(|&t| t <= from)..t.partition_point(|&t| t <= to);
            let (floats, hists) = (within(&columns.t), within(&columns.ht));
            if hists.is_empty() {
                continue;
            }
            let window = Window {
                t: &columns.t[floats.clone()],
                v: &columns.v[floats.clone()],
                st: columns.st.get(floats).unwrap_or_default(),
                ht: &columns.ht[hists.clone()],
                h: &columns.h[hists.clone()],
                hst: columns.hst.get(hists).unwrap_or_default(),
                start,
                end,
                range_ms: shape.window_ms,
            };
            let cell = if open { window.value(rollup, about) } else { window.extended(rollup, shape.edges, about) };
            match cell {
                Cell::AsIs => {}
                Cell::Nothing => *out = ABSENT,
                Cell::Float(v) => *out = v,
                Cell::Histogram(h) => {
                    *out = ABSENT;
                    histograms[step] = Some(Arc::new(h));
                }
            }
        }
    }
    histograms.iter().any(Option::is_some).then_some(histograms)
}

/// The newest sample of either kind within the lookback.
fn instant(rollup: Rollup, shape: &Shape, columns: &Columns, out: &mut [f64], histograms: &mut Histograms) {
    let mut last: Option<(usize, Arc<FloatHistogram>)> = None;
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        let newest = |t: &[i64]| t.partition_point(|&t| t <= end).checked_sub(1);
        let Some(i) = newest(&columns.ht) else { continue };
        let time = columns.ht[i];
        if newest(&columns.t).is_some_and(|f| columns.t[f] >= time) {
            continue;
        }
        *out = ABSENT;
        if time <= end.saturating_sub(shape.window_ms) || columns.h[i].is_stale() {
            continue;
        }
        if rollup == Rollup::Timestamp || rollup == Rollup::StartTimestamp {
            let ms = if rollup == Rollup::Timestamp { time } else { columns.histogram_start(i) };
            *out = ms as f64 / 1000.0;
            continue;
        }
        let shared = match &last {
            Some((index, shared)) if *index == i => Arc::clone(shared),
            _ => Arc::new(columns.h[i].clone()),
        };
        last = Some((i, Arc::clone(&shared)));
        histograms[step] = Some(shared);
    }
}

impl Window<'_> {
    fn value(&self, rollup: Rollup, about: &mut About<'_>) -> Cell {
        let mixed = !self.t.is_empty();
        match rollup {
            Rollup::Rate | Rollup::Increase | Rollup::Delta | Rollup::Sum | Rollup::Avg if mixed => {
                about.notes.mixed_floats_histograms(about.metric, about.span);
                Cell::Nothing
            }
            Rollup::Rate | Rollup::Increase | Rollup::Delta => Cell::of(growth::extrapolated(self, rollup, about)),
            Rollup::Irate => growth::last_two(self, true, about),
            Rollup::Idelta => growth::last_two(self, false, about),
            Rollup::Sum => Cell::of(self.total(false, about)),
            Rollup::Avg => Cell::of(self.total(true, about)),
            Rollup::Count => Cell::Float((self.t.len() + self.ht.len()) as f64),
            Rollup::Present => Cell::Float(1.0),
            Rollup::First if self.t.first().is_some_and(|t| *t < self.ht[0]) => Cell::AsIs,
            Rollup::First => Cell::Histogram(self.h[0].clone()),
            Rollup::Last if self.t.last() > self.ht.last() => Cell::AsIs,
            Rollup::Last => Cell::Histogram(self.h[self.h.len() - 1].clone()),
            Rollup::TsOfFirst => {
                let first = self.t.first().map_or(self.ht[0], |t| (*t).min(self.ht[0]));
                Cell::Float(first as f64 / 1000.0)
            }
            Rollup::TsOfLast => {
                let last = self.t.last().max(self.ht.last()).copied().unwrap_or(0);
                Cell::Float(last as f64 / 1000.0)
            }
            Rollup::Changes => Cell::Float(self.events(
                |i| self.v[i] != self.v[i - 1] && !(self.v[i].is_nan() && self.v[i - 1].is_nan()),
                |i| !native::equal(&self.h[i - 1], &self.h[i]),
            )),
            Rollup::Resets => Cell::Float(self.events(|i| self.float_fell(i), |i| self.histogram_fell(i))),
            // All others look at floats only.
            _ if mixed => {
                about.notes.histogram_ignored_in_range(about.metric, about.span);
                Cell::AsIs
            }
            _ => Cell::Nothing,
        }
    }

    /// Counts events between neighbours; a change of kind is one.
    /// Each is asked of a sample and the one of its kind before it.
    fn events(&self, floats: impl Fn(usize) -> bool, histograms: impl Fn(usize) -> bool) -> f64 {
        let (mut f, mut h, mut count) = (0, 0, 0);
        let mut before = None;
        while f < self.t.len() || h < self.ht.len() {
            let is_float = h == self.ht.len() || (f < self.t.len() && self.t[f] < self.ht[h]);
            count += u32::from(match before {
                None => false,
                Some(kind) if kind != is_float => true,
                Some(true) => floats(f),
                Some(false) => histograms(h),
            });
            before = Some(is_float);
            *(if is_float { &mut f } else { &mut h }) += 1;
        }
        f64::from(count)
    }

    /// Start timestamp and time of a histogram.
    fn histogram_at(&self, i: usize) -> (i64, i64) {
        (self.hst.get(i).copied().unwrap_or(0), self.ht[i])
    }

    /// Whether the start timestamp of a histogram says that the counter was reset before it.
    fn histogram_restarted(&self, i: usize) -> bool {
        !self.hst.is_empty() && starts::is_reset(self.histogram_at(i - 1), self.histogram_at(i))
    }

    fn histogram_fell(&self, i: usize) -> bool {
        self.histogram_restarted(i) || native::is_reset(&self.h[i], &self.h[i - 1])
    }

    fn float_fell(&self, i: usize) -> bool {
        let at = |i: usize| (self.st[i], self.t[i]);
        self.v[i] < self.v[i - 1] || (!self.st.is_empty() && starts::is_reset(at(i - 1), at(i)))
    }

    /// Without so many floats and histograms at the beginning.
    fn behind(&self, floats: usize, hists: usize) -> Self {
        Self {
            t: &self.t[floats..],
            v: &self.v[floats..],
            st: self.st.get(floats..).unwrap_or_default(),
            ht: &self.ht[hists..],
            h: &self.h[hists..],
            hst: self.hst.get(hists..).unwrap_or_default(),
            ..*self
        }
    }

    /// The sum of all histograms, or their mean.
    fn total(&self, mean: bool, about: &mut About<'_>) -> Option<FloatHistogram> {
        let mut total = Total::new(&self.h[0]);
        for h in &self.h[1..] {
            let added = if mean { total.add_to_mean(h) } else { total.add(h) };
            if added.is_err() {
                about.notes.mixed_exponential_custom(about.metric, about.span);
                return None;
            }
        }
        total.report(about.notes, about.span);
        Some(total.finish(mean))
    }
}

impl Cell {
    fn of(histogram: Option<FloatHistogram>) -> Self {
        histogram.map_or(Self::Nothing, Self::Histogram)
    }
}

/// A running sum of histograms that becomes a running mean where it would overflow.
#[derive(Clone, Debug)]
pub(crate) struct Total {
    sum: Native,
    count: f64,
    incremental: bool,
    reset_seen: bool,
    no_reset_seen: bool,
    reconciled: bool,
}

impl Total {
    pub(crate) fn new(first: &FloatHistogram) -> Self {
        let mut total = Self {
            sum: Native::from(first),
            count: 1.0,
            incremental: false,
            reset_seen: false,
            no_reset_seen: false,
            reconciled: false,
        };
        total.see(first);
        total
    }

    fn see(&mut self, h: &FloatHistogram) {
        self.reset_seen |= h.counter_reset_hint == CounterResetHint::CounterReset;
        self.no_reset_seen |= h.counter_reset_hint == CounterResetHint::NotCounterReset;
    }

    pub(crate) fn add(&mut self, h: &FloatHistogram) -> Result<(), native::Incompatible> {
        self.see(h);
        self.reconciled |= self.sum.add(h, true)?.reconciled;
        self.count += 1.0;
        Ok(())
    }

    pub(crate) fn add_to_mean(&mut self, h: &FloatHistogram) -> Result<(), native::Incompatible> {
        self.see(h);
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.sum.clone();
            self.reconciled |= sum.add(h, true)?.reconciled;
            if !sum.overflows() {
                self.sum = sum;
                return Ok(());
            }
            self.incremental = true;
            self.sum.divide(self.count - 1.0);
        }
        self.sum.multiply((self.count - 1.0) / self.count);
        let mut share = Native::from(h);
        share.divide(self.count);
        self.reconciled |= self.sum.combine(share, true)?.reconciled;
        Ok(())
    }

    pub(crate) fn finish(mut self, mean: bool) -> FloatHistogram {
        if mean && !self.incremental {
            self.sum.divide(self.count);
        }
        self.sum.finish()
    }

    pub(crate) fn report(&self, notes: &mut Notes, span: Span) {
        if self.reset_seen && self.no_reset_seen {
            notes.counter_reset_collision(HistogramOperation::Aggregation, span);
        }
        if self.reconciled {
            notes.mismatched_bounds(HistogramOperation::Aggregation, span);
        }
    }
}

/// Whether a row has a value at any step, of either kind.
pub(crate) fn is_empty(row: &[f64], histograms: Option<&Histograms>) -> bool {
    row.iter().all(|&v| is_absent(v)) && histograms.is_none_or(|h| h.iter().all(Option::is_none))
}
