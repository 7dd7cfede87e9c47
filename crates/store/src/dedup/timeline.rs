use std::borrow::Cow;
use std::ops::Range;

use block::Columns;
use model::histogram::CounterResetHint;
use model::is_stale;

/// The samples of one replica in the order of time, whatever their kind.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    columns: &'a Columns,
    pub(super) times: Cow<'a, [i64]>,
    /// Where sample `i` lies: a float's index, or a histogram's with [`HISTOGRAM`] set. Empty where there
    /// are floats only.
    order: Vec<u32>,
}

const HISTOGRAM: u32 = 1 << 31;

impl<'a> Timeline<'a> {
    pub(super) fn new(columns: &'a Columns) -> Self {
        if columns.ht.is_empty() {
            return Self { columns, times: Cow::Borrowed(&columns.t), order: Vec::new() };
        }
        let index = |i: usize| u32::try_from(i).expect("a series has fewer than 2^31 samples");
        let (mut times, mut order) = (Vec::with_capacity(columns.len()), Vec::with_capacity(columns.len()));
        let (mut f, mut h) = (0, 0);
        while f < columns.t.len() || h < columns.ht.len() {
            let float = h == columns.ht.len() || (f < columns.t.len() && columns.t[f] <= columns.ht[h]);
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
        Self { columns, times: Cow::Owned(times), order }
    }

    pub(super) fn stale(&self, i: usize) -> bool {
        match self.order.get(i) {
            None => is_stale(self.columns.v[i]),
            Some(&at) if at & HISTOGRAM == 0 => is_stale(self.columns.v[at as usize]),
            Some(&at) => is_stale(self.columns.h[(at & !HISTOGRAM) as usize].sum),
        }
    }

    pub(super) fn any_stale(&self, range: Range<usize>) -> bool {
        if self.order.is_empty() {
            return self.columns.v[range].iter().any(|&v| is_stale(v));
        }
        range.into_iter().any(|i| self.stale(i))
    }
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
    /// `out` is emptied.
    pub(super) fn new(timelines: &'a [Timeline<'b>], out: &'a mut Columns) -> Self {
        out.clear();
        Self { timelines, out, last: (usize::MAX, 0) }
    }

    /// Appends samples of one replica.
    pub(super) fn copy(&mut self, replica: usize, range: Range<usize>) {
        let Timeline { columns, order, .. } = &self.timelines[replica];
        let goes_on = std::mem::replace(&mut self.last, (replica, range.end)) == (replica, range.start);
        if order.is_empty() {
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
