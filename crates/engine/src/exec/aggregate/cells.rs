//! What an aggregation keeps for each group and step, as columns.

use promql::ast::AggregateOp;

use crate::math::kahan_add;
use crate::simd::widest;
use crate::vector::{ABSENT, is_absent};

/// Columns of `groups × steps` cells. A cell whose value is absent has seen nothing.
#[derive(Debug)]
pub(in crate::exec) struct Cells {
    op: AggregateOp,
    value: Vec<f64>,
    /// Compensation of the sum; for deviations the mean.
    second: Vec<f64>,
    count: Vec<f64>,
    /// The mean is carried on incrementally, for the sum would overflow.
    incremental: Vec<bool>,
}

impl Cells {
    pub(in crate::exec) fn new(op: AggregateOp) -> Self {
        Self { op, value: Vec::new(), second: Vec::new(), count: Vec::new(), incremental: Vec::new() }
    }

    pub(in crate::exec) fn op(&self) -> AggregateOp {
        self.op
    }

    fn has_second(&self) -> bool {
        use AggregateOp::{Avg, Stddev, Stdvar, Sum};
        matches!(self.op, Sum | Avg | Stddev | Stdvar)
    }

    fn has_count(&self) -> bool {
        use AggregateOp::{Avg, Stddev, Stdvar};
        matches!(self.op, Avg | Stddev | Stdvar)
    }

    pub(in crate::exec) fn bytes_per_cell(&self) -> usize {
        8 + 8 * usize::from(self.has_second())
            + 8 * usize::from(self.has_count())
            + usize::from(self.op == AggregateOp::Avg)
    }

    /// Adds a group.
    pub(in crate::exec) fn grow(&mut self, steps: usize) {
        let len = self.value.len() + steps;
        self.value.resize(len, ABSENT);
        if self.has_second() {
            self.second.resize(len, 0.0);
        }
        if self.has_count() {
            self.count.resize(len, 0.0);
        }
        if self.op == AggregateOp::Avg {
            self.incremental.resize(len, false);
        }
    }

    /// Whether a float went into a cell.
    pub(in crate::exec) fn has(&self, cell: usize) -> bool {
        !is_absent(self.value[cell])
    }

    /// Adds one series to the group whose cells start at `from`.
    pub(in crate::exec) fn add(&mut self, from: usize, row: &[f64]) {
        let cells = from..from + row.len();
        let value = &mut self.value[cells.clone()];
        match self.op {
            AggregateOp::Sum => add_sum(value, &mut self.second[cells], row),
            AggregateOp::Avg => {
                let lost = &mut self.second[cells.clone()];
                add_avg(value, lost, &mut self.count[cells.clone()], &mut self.incremental[cells], row);
            }
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                add_spread(value, &mut self.second[cells.clone()], &mut self.count[cells], row);
            }
            AggregateOp::Min => pick(value, row, |best, v| best > v || best.is_nan()),
            AggregateOp::Max => pick(value, row, |best, v| best < v || best.is_nan()),
            AggregateOp::Count => {
                for (cell, &v) in value.iter_mut().zip(row) {
                    let counted = if is_absent(*cell) { 1.0 } else { *cell + 1.0 };
                    *cell = if is_absent(v) { *cell } else { counted };
                }
            }
            // Group; the others do not use cells.
            _ => {
                for (cell, &v) in value.iter_mut().zip(row) {
                    *cell = if is_absent(v) { *cell } else { 1.0 };
                }
            }
        }
    }

    /// The group's result at each step.
    pub(in crate::exec) fn finish(&self, from: usize, out: &mut [f64]) {
        for (step, out) in out.iter_mut().enumerate() {
            let i = from + step;
            let value = self.value[i];
            if is_absent(value) {
                continue;
            }
            *out = match self.op {
                AggregateOp::Sum => value + self.second[i],
                AggregateOp::Avg if self.incremental[i] => value + self.second[i],
                AggregateOp::Avg => value / self.count[i] + self.second[i] / self.count[i],
                AggregateOp::Stdvar => value / self.count[i],
                AggregateOp::Stddev => (value / self.count[i]).sqrt(),
                _ => value,
            };
        }
    }
}

widest! {
    fn add_sum(sums: &mut [f64], losts: &mut [f64], row: &[f64]) {
        for ((sum, lost), &v) in sums.iter_mut().zip(losts).zip(row) {
            let (new_sum, new_lost) = kahan_add(v, *sum, *lost);
            let first = is_absent(*sum);
            let (new_sum, new_lost) = (if first { v } else { new_sum }, if first { 0.0 } else { new_lost });
            let absent = is_absent(v);
            *sum = if absent { *sum } else { new_sum };
            *lost = if absent { *lost } else { new_lost };
        }
    }
}

fn add_avg(value: &mut [f64], lost: &mut [f64], count: &mut [f64], incremental: &mut [bool], row: &[f64]) {
    for (i, &v) in row.iter().enumerate() {
        if is_absent(v) {
            continue;
        }
        count[i] += 1.0;
        let n = count[i];
        if n == 1.0 {
            value[i] = v;
            continue;
        }
        if !incremental[i] {
            let (sum, new_lost) = kahan_add(v, value[i], lost[i]);
            if !sum.is_infinite() {
                (value[i], lost[i]) = (sum, new_lost);
                continue;
            }
            incremental[i] = true;
            value[i] /= n - 1.0;
            lost[i] /= n - 1.0;
        }
        let q = (n - 1.0) / n;
        (value[i], lost[i]) = kahan_add(v / n, q * value[i], q * lost[i]);
    }
}

fn add_spread(value: &mut [f64], mean: &mut [f64], count: &mut [f64], row: &[f64]) {
    for (i, &v) in row.iter().enumerate() {
        if is_absent(v) {
            continue;
        }
        count[i] += 1.0;
        if count[i] == 1.0 {
            mean[i] = v;
            value[i] = if v.is_finite() { 0.0 } else { f64::NAN };
            continue;
        }
        let delta = v - mean[i];
        mean[i] += delta / count[i];
        value[i] += delta * (v - mean[i]);
    }
}

fn pick(best: &mut [f64], row: &[f64], better: impl Fn(f64, f64) -> bool) {
    for (best, &v) in best.iter_mut().zip(row) {
        // An absent cell is a NaN and gives way as one.
        let take = !is_absent(v) && better(*best, v);
        *best = if take { v } else { *best };
    }
}
