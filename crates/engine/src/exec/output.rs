//! The value of the last node as the answer.

use std::sync::Arc;

use model::{Sample, Series, Value};
use request::MemoryAccount;

use super::{Data, wrong_kind};
use crate::engine::{Kind, Settings};
use crate::vector::{Vector, drop_metadata, is_absent};
use crate::{Error, Grid};

pub(super) fn value(
    data: Data,
    grid: &Grid,
    kind: Kind,
    settings: &Settings,
    memory: &MemoryAccount,
) -> Result<Value, Error> {
    let last = grid.at(0);
    Ok(match (data, kind) {
        (Data::Scalar(row), Kind::Instant) => {
            Value::Scalar { t: last, v: row.first().copied().ok_or_else(|| wrong_kind("a scalar"))? }
        }
        (Data::Text(text), _) => Value::String { t: last, v: String::from_utf8_lossy(&text).into_owned() },
        (Data::Several(_), _) => return Err(wrong_kind("one value")),
        (Data::Matrix(series, lease), _) => {
            // From here on the answer is who asked's to pay for.
            drop(lease);
            Value::Matrix(series)
        }
        (Data::Steps(vector, grid), _) => matrix(&named(vector, settings, memory)?, &grid, memory)?,
        (Data::Scalar(row), Kind::Range) => {
            let series = Series { labels: model::Labels::empty(), t: times(grid), v: row.to_vec(), h: Vec::new() };
            Value::Matrix(vec![series])
        }
        (Data::Vector(vector), Kind::Range) => matrix(&named(vector, settings, memory)?, grid, memory)?,
        (Data::Vector(vector), Kind::Instant) => {
            let vector = named(vector, settings, memory)?;
            let Vector { series, values, .. } = vector;
            let samples = series.into_iter().zip(values).filter_map(|(head, v)| {
                let h = head.histogram(0).cloned();
                let v = if is_absent(v) { h.is_some().then_some(0.0)? } else { v };
                Some(Sample { labels: head.labels, t: last, v, h })
            });
            Value::Vector(samples.collect())
        }
    })
}

/// Removes the names whose removal was put off.
fn named(mut vector: Vector, settings: &Settings, memory: &MemoryAccount) -> Result<Vector, Error> {
    if !settings.delayed_name_removal {
        return Ok(vector);
    }
    for head in vector.series.iter_mut().filter(|head| head.drop_name) {
        head.labels = drop_metadata(&head.labels);
    }
    vector.merged(memory)
}

fn times(grid: &Grid) -> Arc<[i64]> {
    (0..grid.len()).map(|i| grid.at(i)).collect()
}

/// Sorted by labels. Series with a value at every step share their timestamps.
fn matrix(vector: &Vector, grid: &Grid, memory: &MemoryAccount) -> Result<Value, Error> {
    // For the rows that are there twice until the vector is gone.
    let _lease = memory.lease(vector.values.len() as u64 * 8)?;
    let every = times(grid);
    let mut series: Vec<Series> = vector
        .rows()
        .filter_map(|(head, row)| {
            let present = row.iter().filter(|&&v| !is_absent(v)).count();
            let found = head.histograms.iter().flatten().zip(&*every);
            let h: Vec<_> = found.filter_map(|(h, &t)| Some((t, h.clone()?))).collect();
            if present == 0 && h.is_empty() {
                return None;
            }
            let labels = head.labels.clone();
            if present == row.len() {
                return Some(Series { labels, t: Arc::clone(&every), v: row.to_vec(), h });
            }
            let points = || row.iter().zip(&*every).filter(|(v, _)| !is_absent(**v));
            let mut values = Vec::with_capacity(present);
            values.extend(points().map(|(&v, _)| v));
            Some(Series { labels, t: points().map(|(_, &t)| t).collect(), v: values, h })
        })
        .collect();
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Value::Matrix(series))
}
