//! Quantiles and fractions of classic histograms: series with a bucket's upper bound in `le`.

mod classic;
mod natives;
#[cfg(test)]
mod tests;

use model::{FloatHistogram, Labels, LabelsBuilder, METRIC_NAME};
use promql::{FunctionId, Span};

use super::Run;
use super::group::{KeyMaker, KeyTable};
use crate::native;
use crate::notes::{Forced, format_open_metrics};
use crate::plan::{BucketFunction, Buckets, Grouping};
use crate::vector::{Head, Vector, is_absent};
use crate::{Error, Grid};

use classic::Bucket;

/// The label of a bucket's upper bound.
const LE: &str = "le";

/// The series that are buckets of one histogram, by upper bound.
struct Classic {
    key: Vec<u8>,
    head: Head,
    buckets: Vec<(f64, usize)>,
    /// The steps whose buckets were found not to be monotonic: what was fixed for one quantile is so for the
    /// others.
    fixed: Vec<bool>,
}

impl Run<'_> {
    pub(super) fn buckets(&mut self, node: Buckets, grid: &Grid) -> Result<Vector, Error> {
        let Buckets { what, input, params, param_spans, input_span } = node;
        let params = params.into_iter().map(|id| self.scalar(id)).collect::<Result<Vec<_>, _>>()?;
        let input = self.vector(input)?;
        let mut vector = Vector::new(grid.len(), self.cx.memory())?;
        if let BucketFunction::OfNative(function) = what {
            let value = move |h: &FloatHistogram| of_native(function, h);
            natives::each(&input, self.settings.delayed_name_removal, &mut vector, |_, _, h| Some(value(h)))?;
            vector.drop_empty();
            return if self.settings.delayed_name_removal { Ok(vector) } else { vector.merged(self.cx.memory()) };
        }
        if !matches!(what, BucketFunction::Fraction) {
            for (row, span) in params.iter().zip(&param_spans) {
                self.note_quantiles(row, *span);
            }
        }
        let mut input = input;
        let mut histograms = self.histograms(&input, input_span);
        let conflicts = natives::conflicts(&input, &histograms);
        if !conflicts.is_empty() {
            self.leave_out(&mut input, &mut histograms, &conflicts, input_span);
        }
        let delayed = self.settings.delayed_name_removal;
        match what {
            BucketFunction::Quantile => {
                let q = params.first().map_or(&[][..], |row| row);
                let notes = &mut *self.notes;
                natives::each(&input, delayed, &mut vector, |head, step, h| {
                    natives::quantile(q[step], head, h, notes, input_span)
                })?;
                for histogram in &mut histograms {
                    let row = vector.push_absent(histogram.head.clone())?;
                    self.quantile_row(histogram, &input, q, grid, input_span, row);
                }
            }
            BucketFunction::Quantiles(label) => {
                for q in &params {
                    let mut natives = Vector::new(grid.len(), self.cx.memory())?;
                    let notes = &mut *self.notes;
                    natives::each(&input, delayed, &mut natives, |head, step, h| {
                        natives::quantile(q[step], head, h, notes, input_span)
                    })?;
                    for (head, row) in natives.rows() {
                        for run in runs(q) {
                            let out = vector.push_absent(with_quantile(head, &label, q[run.start]))?;
                            out[run.clone()].copy_from_slice(&row[run]);
                        }
                    }
                    for histogram in &mut histograms {
                        // The parameter may change from step to step, and the label with it.
                        for run in runs(q) {
                            let head = with_quantile(&histogram.head, &label, q[run.start]);
                            let mut row = vec![crate::vector::ABSENT; grid.len()];
                            self.quantile_row(histogram, &input, q, grid, input_span, &mut row);
                            let out = vector.push_absent(head)?;
                            out[run.clone()].copy_from_slice(&row[run]);
                        }
                    }
                }
            }
            BucketFunction::Fraction => {
                let (lower, upper) = (params.first(), params.get(1));
                let (Some(lower), Some(upper)) = (lower, upper) else { return Ok(vector) };
                let notes = &mut *self.notes;
                natives::each(&input, delayed, &mut vector, |head, step, h| {
                    natives::fraction(lower[step], upper[step], head, h, notes, input_span)
                })?;
                for histogram in &histograms {
                    let row = vector.push_absent(histogram.head.clone())?;
                    let mut buckets = Vec::new();
                    for (step, out) in row.iter_mut().enumerate() {
                        histogram.at(&input, step, &mut buckets);
                        if !buckets.is_empty() {
                            *out = classic::fraction(lower[step], upper[step], &mut buckets);
                        }
                    }
                }
            }
            BucketFunction::OfNative(_) => {}
        }
        vector.drop_empty();
        vector.merged(self.cx.memory())
    }

    /// Where classic and native histograms of the same labels meet, neither counts.
    fn leave_out(&mut self, input: &mut Vector, classics: &mut [Classic], conflicts: &[natives::Conflict], span: Span) {
        for conflict in conflicts {
            let head = &mut input.series[conflict.series];
            let name = head.labels.get(METRIC_NAME).unwrap_or("");
            self.notes.mixed_classic_native(if self.settings.delayed_name_removal { name } else { "" }, span);
            head.retain_histograms(|step| step != conflict.step);
            for &(_, bucket) in &classics[conflict.classic].buckets {
                input.row_mut(bucket)[conflict.step] = crate::vector::ABSENT;
            }
        }
    }

    /// Puts the series that differ only in `le` together.
    fn histograms(&mut self, input: &Vector, span: Span) -> Vec<Classic> {
        let delayed = self.settings.delayed_name_removal;
        let (keys, mut table) = (without_le(), KeyTable::default());
        let (mut key, mut found): (Vec<u8>, Vec<Classic>) = (Vec::new(), Vec::new());
        for (i, (head, row)) in input.rows().enumerate() {
            // A series of native histograms is no bucket.
            if head.histograms.is_some() && row.iter().all(|&v| is_absent(v)) {
                continue;
            }
            let name = head.labels.get(METRIC_NAME).unwrap_or("");
            let le = head.labels.get(LE).unwrap_or("");
            let Ok(bound) = le.parse::<f64>() else {
                self.notes.bad_bucket_label(if delayed { name } else { "" }, le, span);
                continue;
            };
            signature(&keys, &head.labels, &mut key);
            let place = table.number(&key);
            if place == found.len() {
                let mut labels: LabelsBuilder = head.labels.iter().collect();
                labels.remove(LE);
                if !delayed {
                    labels.retain(|name| !crate::vector::METADATA_LABELS.contains(&name));
                }
                found.push(Classic {
                    key: key.clone(),
                    head: Head { drop_name: delayed, ..Head::new(labels.build()) },
                    buckets: Vec::new(),
                    fixed: Vec::new(),
                });
            }
            found[place].buckets.push((bound, i));
        }
        for histogram in &mut found {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        found
    }

    fn quantile_row(
        &mut self,
        histogram: &mut Classic,
        input: &Vector,
        q: &[f64],
        grid: &Grid,
        span: Span,
        row: &mut [f64],
    ) {
        let mut buckets = Vec::with_capacity(histogram.buckets.len());
        histogram.fixed.resize(grid.len(), false);
        for (step, out) in row.iter_mut().enumerate() {
            histogram.at(input, step, &mut buckets);
            if buckets.is_empty() {
                continue;
            }
            let (value, fixed) = classic::quantile(q.get(step).copied().unwrap_or(f64::NAN), &mut buckets);
            *out = value;
            if let Some(fix) = fixed
                && !std::mem::replace(&mut histogram.fixed[step], true)
            {
                let name = histogram.head.labels.get(METRIC_NAME).unwrap_or("");
                let time = grid.at(step);
                let forced = Forced {
                    min_time: time,
                    max_time: time,
                    min_bucket: fix.min_bucket,
                    max_bucket: fix.max_bucket,
                    max_difference: fix.max_difference,
                    samples: 1,
                };
                self.notes.forced_monotonicity(name, forced, span);
            }
        }
    }
}

impl Classic {
    /// The buckets that have a value at a step, by upper bound.
    fn at(&self, input: &Vector, step: usize, buckets: &mut Vec<Bucket>) {
        buckets.clear();
        buckets.extend(self.buckets.iter().filter_map(|&(upper, i)| {
            let count = input.row(i)[step];
            (!is_absent(count)).then_some(Bucket { upper, count })
        }));
    }
}

fn without_le() -> KeyMaker {
    KeyMaker::new(Grouping { without: true, labels: [LE.to_owned()].into() }, false)
}

/// What tells one histogram from another: all labels but `le`, the name too.
fn signature(keys: &KeyMaker, labels: &Labels, key: &mut Vec<u8>) {
    let name = labels.get(METRIC_NAME).unwrap_or("");
    key.clear();
    key.extend_from_slice(&(name.len() as u32).to_le_bytes());
    key.extend_from_slice(name.as_bytes());
    keys.push(labels.iter(), key);
}

fn of_native(function: FunctionId, h: &FloatHistogram) -> f64 {
    match function {
        FunctionId::HistogramCount => h.count,
        FunctionId::HistogramSum => h.sum,
        FunctionId::HistogramAvg => h.sum / h.count,
        FunctionId::HistogramStddev => native::variance(h).sqrt(),
        _ => native::variance(h),
    }
}

fn with_quantile(head: &Head, label: &str, q: f64) -> Head {
    let mut labels: LabelsBuilder = head.labels.iter().collect();
    labels.set(label, &format_open_metrics(q));
    let labels: Labels = labels.build();
    Head { drop_name: head.drop_name, ..Head::new(labels) }
}

/// Runs of equal values.
fn runs(values: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let mut from = 0;
    for i in 1..=values.len() {
        if i == values.len() || values[i].to_bits() != values[from].to_bits() {
            runs.push(from..i);
            from = i;
        }
    }
    runs
}
