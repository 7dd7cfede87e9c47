//! `quantile` and `count_values`: they need every value of a step.

use hashbrown::HashMap;
use model::LabelsBuilder;
use request::MemoryAccount;

use super::super::group::{KeyMaker, KeyTable};
use crate::Error;
use crate::math;
use crate::native;
use crate::notes::format_plain;
use crate::plan::Grouping;
use crate::vector::{Head, Vector, is_absent};

pub(super) fn quantile(
    input: &Vector,
    grouping: Grouping,
    param: &[f64],
    memory: &MemoryAccount,
) -> Result<Vector, Error> {
    let keys = KeyMaker::new(grouping, false);
    let (mut table, mut key) = (KeyTable::default(), Vec::new());
    let mut members: Vec<(bool, Vec<usize>)> = Vec::new();
    for (i, head) in input.series.iter().enumerate() {
        key.clear();
        keys.push(head.labels.iter(), &mut key);
        let group = table.number(&key);
        if group == members.len() {
            members.push((false, Vec::new()));
        }
        members[group].0 |= head.drop_name;
        members[group].1.push(i);
    }
    let mut vector = Vector::new(input.steps, memory)?;
    let mut values = Vec::new();
    for (group, (drop_name, members)) in members.into_iter().enumerate() {
        let row = vector.push_absent(Head { drop_name, ..Head::new(table.labels(group)) })?;
        for (step, out) in row.iter_mut().enumerate() {
            values.clear();
            values.extend(members.iter().map(|&i| input.row(i)[step]).filter(|&v| !is_absent(v)));
            if !values.is_empty() {
                *out = math::quantile(param.get(step).copied().unwrap_or(f64::NAN), &mut values);
            }
        }
    }
    vector.drop_empty();
    Ok(vector)
}

/// One series for each value that occurs in a group, counting it.
pub(super) fn count_values(
    input: &Vector,
    grouping: Grouping,
    label: &str,
    memory: &MemoryAccount,
) -> Result<Vector, Error> {
    let keys = KeyMaker::new(grouping, false);
    let mut table = KeyTable::default();
    let mut vector = Vector::new(input.steps, memory)?;
    let mut rows: HashMap<u64, usize> = HashMap::new();
    for (head, row) in input.rows() {
        // A series often keeps its value: look its row up once for each value.
        rows.clear();
        for (step, &v) in row.iter().enumerate() {
            if is_absent(v) {
                continue;
            }
            let bits = if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() };
            let place = match rows.get(&bits) {
                Some(&place) => place,
                None => {
                    let place = place_of(&format_plain(v), head, label, &keys, &mut table, &mut vector)?;
                    rows.insert(bits, place);
                    place
                }
            };
            count(&mut vector, place, step);
        }
        for (step, h) in head.histograms.iter().flatten().enumerate() {
            let Some(h) = h else { continue };
            let place = place_of(&native::describe(h), head, label, &keys, &mut table, &mut vector)?;
            count(&mut vector, place, step);
        }
    }
    Ok(vector)
}

/// The row that counts a value of a series' group.
fn place_of(
    value: &str,
    head: &Head,
    label: &str,
    keys: &KeyMaker,
    table: &mut KeyTable,
    vector: &mut Vector,
) -> Result<usize, Error> {
    let mut labels: LabelsBuilder = head.labels.iter().collect();
    labels.set(label, value);
    let mut key = Vec::new();
    keys.push(labels.build().iter(), &mut key);
    let place = table.number(&key);
    if place == vector.len() {
        vector.push_absent(Head::new(table.labels(place)))?;
    }
    Ok(place)
}

fn count(vector: &mut Vector, place: usize, step: usize) {
    let cell = &mut vector.row_mut(place)[step];
    *cell = if is_absent(*cell) { 1.0 } else { *cell + 1.0 };
}
