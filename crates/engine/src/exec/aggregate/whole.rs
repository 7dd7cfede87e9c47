//! `quantile` and `count_values`: they need every value of a step.

use hashbrown::HashMap;
use model::LabelsBuilder;
use request::MemoryAccount;

use super::super::group::{KeyMaker, KeyTable};
use crate::Error;
use crate::math;
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
        let row = vector.push_absent(Head { labels: table.labels(group), drop_name })?;
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
    let (mut rows, mut key): (HashMap<u64, usize>, Vec<u8>) = (HashMap::new(), Vec::new());
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
                    let mut labels: LabelsBuilder = head.labels.iter().collect();
                    labels.set(label, &format_plain(v));
                    key.clear();
                    keys.push(labels.build().iter(), &mut key);
                    let place = table.number(&key);
                    if place == vector.len() {
                        vector.push_absent(Head::new(table.labels(place)))?;
                    }
                    rows.insert(bits, place);
                    place
                }
            };
            let cell = &mut vector.row_mut(place)[step];
            *cell = if is_absent(*cell) { 1.0 } else { *cell + 1.0 };
        }
    }
    Ok(vector)
}
