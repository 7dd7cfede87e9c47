//! Range functions over subqueries: each row of values becomes the samples of a series.

use promql::Span;

use super::Run;
use crate::Error;
use crate::plan::SubqueryRollup;
use crate::rollup::{self, Params, Rollup, Scratch};
use crate::vector::{Vector, is_absent, same_labels};

impl Run<'_> {
    pub(super) async fn subquery(&mut self, subquery: SubqueryRollup, span: Span) -> Result<Vector, Error> {
        let SubqueryRollup { input, grid, shape, rollup, params } = subquery;
        let params = params.into_iter().map(|id| self.scalar(id)).collect::<Result<Vec<_>, _>>()?;
        let input = self.vector_of(input)?;
        if rollup == Rollup::Quantile {
            self.note_quantiles(params.first().map_or(&[], |row| row), span);
        }
        let empty: &[f64] = &[];
        let params =
            Params { first: params.first().map_or(empty, |row| row), second: params.get(1).map_or(empty, |row| row) };
        let mut vector = Vector::new(shape.grid.len(), self.cx.memory())?;
        let (mut t, mut v) = (Vec::with_capacity(grid.len()), Vec::with_capacity(grid.len()));
        let (mut scratch, mut row) = (Scratch::default(), vec![0.0; shape.grid.len()]);
        for (head, values) in input.rows() {
            self.cx.check()?;
            t.clear();
            v.clear();
            for (step, &value) in values.iter().enumerate() {
                if !is_absent(value) {
                    t.push(grid.at(step));
                    v.push(value);
                }
            }
            rollup::roll(rollup, &shape, params, &t, &v, &mut scratch, &mut row);
            if row.iter().all(|&v| is_absent(v)) {
                continue;
            }
            if matches!(rollup, Rollup::Rate | Rollup::Increase)
                && let Some(name) = head.labels.get(model::METRIC_NAME)
                && !["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix))
            {
                self.notes.possible_non_counter(name, span);
            }
            vector.push(head.clone(), &row)?;
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
