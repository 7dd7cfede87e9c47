//! Range functions over subqueries: each row of values becomes the samples of a series.

use block::Columns;
use model::{CounterResetHint, FloatHistogram, METRIC_NAME};
use promql::Span;

use super::Run;
use super::scan::{check_factors, note_quantiles};
use crate::Error;
use crate::plan::SubqueryRollup;
use crate::rollup::native::{self, About};
use crate::rollup::{self, Params, Rollup, Scratch};
use crate::vector::{Head, Vector, is_absent, same_labels};

impl Run<'_> {
    pub(super) async fn subquery(&mut self, subquery: SubqueryRollup, span: Span) -> Result<Vector, Error> {
        let SubqueryRollup { input, grid, shape, rollup, params } = subquery;
        let params = params.into_iter().map(|id| self.scalar(id)).collect::<Result<Vec<_>, _>>()?;
        let input = self.vector_of(input)?;
        let empty: &[f64] = &[];
        let params =
            Params { first: params.first().map_or(empty, |row| row), second: params.get(1).map_or(empty, |row| row) };
        let mut vector = Vector::new(shape.grid.len(), self.cx.memory())?;
        let mut columns = Columns::new();
        let (mut scratch, mut row) = (Scratch::default(), vec![0.0; shape.grid.len()]);
        for (head, values) in input.rows() {
            self.cx.check()?;
            columns.clear();
            for (step, &value) in values.iter().enumerate() {
                if !is_absent(value) {
                    columns.t.push(grid.at(step));
                    columns.v.push(value);
                } else if let Some(h) = head.histogram(step) {
                    columns.ht.push(grid.at(step));
                    columns.h.push(without_hint(h));
                }
            }
            if rollup == Rollup::DoubleExponential {
                check_factors(params, &shape, &columns)?;
            }
            // What is absent is no sample, so there is no staleness marker.
            let _rolled = rollup::roll(rollup, &shape, params, &columns.t, &columns.v, &mut scratch, &mut row);
            if rollup == Rollup::Quantile {
                note_quantiles(params.first, &row, self.notes, span);
            }
            let mut histograms = None;
            if !columns.ht.is_empty() {
                let metric = head.labels.get(METRIC_NAME).unwrap_or("");
                let mut about = About { notes: self.notes, metric, span };
                histograms = native::roll(rollup, &shape, &columns, &mut row, &mut about);
            }
            if native::is_empty(&row, histograms.as_ref()) {
                continue;
            }
            if matches!(rollup, Rollup::Rate | Rollup::Increase) && row.iter().any(|&v| !is_absent(v)) {
                self.notes.check_counter(|name| head.labels.get(name), self.settings.type_and_unit_labels, span);
            }
            vector.push(Head { histograms, ..head.bare() }, &row)?;
        }
        if !rollup.keeps_name() {
            vector.drop_names(self.settings.delayed_name_removal);
        }
        if !self.settings.delayed_name_removal && vector.has_duplicates() {
            return Err(same_labels());
        }
        Ok(vector)
    }
}

/// Steps are not scrapes: what was known of resets between samples does not hold between them.
fn without_hint(h: &FloatHistogram) -> FloatHistogram {
    let mut h = h.clone();
    if matches!(h.counter_reset_hint, CounterResetHint::CounterReset | CounterResetHint::NotCounterReset) {
        h.counter_reset_hint = CounterResetHint::Unknown;
    }
    h
}
