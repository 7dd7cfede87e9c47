use std::borrow::Cow;
use std::ops::Range;

use block::Columns;
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

    /// Appends samples to `out`.
    pub(super) fn copy(&self, range: Range<usize>, out: &mut Columns) {
        if self.order.is_empty() {
            out.t.extend_from_slice(&self.columns.t[range.clone()]);
            out.v.extend_from_slice(&self.columns.v[range]);
            return;
        }
        for &at in &self.order[range] {
            let i = (at & !HISTOGRAM) as usize;
            if at & HISTOGRAM == 0 {
                out.t.push(self.columns.t[i]);
                out.v.push(self.columns.v[i]);
            } else {
                out.ht.push(self.columns.ht[i]);
                out.h.push(self.columns.h[i].clone());
            }
        }
    }
}
