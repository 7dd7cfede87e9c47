//! `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`.

use std::cmp::Ordering;

use promql::Span;

use super::Run;
use crate::Error;
use crate::plan::Sort;
use crate::vector::Vector;

impl Run<'_> {
    pub(super) fn sort(&mut self, sort: Sort, span: Span) -> Result<Vector, Error> {
        let mut vector = self.vector(sort.input)?;
        if sort.labels.is_none() {
            // Only floats have an order.
            vector.drop_histograms();
            vector.drop_empty();
        }
        if sort.is_range {
            self.notes.sort_in_range_query(span);
        }
        if vector.steps != 1 {
            return Ok(vector);
        }
        let mut order: Vec<usize> = (0..vector.len()).collect();
        match &sort.labels {
            None => order.sort_by(|&a, &b| by_value(vector.values[a], vector.values[b], sort.descending)),
            Some(labels) => order.sort_by(|&a, &b| {
                let (a, b) = (&vector.series[a].labels, &vector.series[b].labels);
                let by_label = labels.iter().map(|name| {
                    let (a, b) = (a.get(name).unwrap_or(""), b.get(name).unwrap_or(""));
                    if a == b {
                        Ordering::Equal
                    } else if natural_before(a, b) {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                });
                let ordering = by_label.fold(Ordering::Equal, Ordering::then).then_with(|| a.cmp(b));
                if sort.descending { ordering.reverse() } else { ordering }
            }),
        }
        vector.reordered(&order, self.cx.memory())
    }
}

/// NaN last, whichever way.
fn by_value(a: f64, b: f64, descending: bool) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then_with(|| {
        let ordering = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
        if descending { ordering.reverse() } else { ordering }
    })
}

/// Whether `a` comes before `b` when runs of digits compare as numbers.
fn natural_before(a: &str, b: &str) -> bool {
    let (a, b) = (runs(a), runs(b));
    for (i, &x) in a.iter().enumerate() {
        let Some(&y) = b.get(i) else { return false };
        let same = match (x.parse::<i64>(), y.parse::<i64>()) {
            (Ok(x), Ok(y)) if x != y => return x < y,
            (Ok(_), Ok(_)) => true,
            _ => x == y,
        };
        if !same {
            return x < y;
        }
        if i + 1 == a.len() {
            return true;
        }
        if i + 1 == b.len() {
            return false;
        }
    }
    false
}

/// Runs of digits and of other characters, by turns.
fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        runs.push(run);
        rest = after;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_text_compare_as_numbers() {
        for (a, b) in [("a2", "a10"), ("1", "2"), ("a", "b"), ("x9y", "x10y"), ("4", "04a")] {
            assert!(natural_before(a, b), "{a} before {b}");
            assert!(!natural_before(b, a), "{b} not before {a}");
        }
    }
}
