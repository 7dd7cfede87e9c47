//! `and`, `or`, `unless`.

use super::Signatures;
use crate::Error;
use crate::vector::{ABSENT, Vector, is_absent};

/// For each match group the steps at which some series of it has a value.
fn presence(vector: &Vector, signatures: &[usize], count: usize) -> Vec<Option<Box<[bool]>>> {
    let mut present: Vec<Option<Box<[bool]>>> = vec![None; count];
    for ((head, row), &signature) in vector.rows().zip(signatures) {
        let steps = present[signature].get_or_insert_with(|| vec![false; row.len()].into());
        for (present, &v) in steps.iter_mut().zip(row) {
            *present |= !is_absent(v);
        }
        for (present, h) in steps.iter_mut().zip(head.histograms.iter().flatten()) {
            *present |= h.is_some();
        }
    }
    present
}

/// Blanks the values of a series where the group's presence is not `wanted`.
fn mask(vector: &mut Vector, i: usize, present: Option<&[bool]>, wanted: bool) {
    vector.series[i].retain_histograms(|step| present.is_some_and(|present| present[step]) == wanted);
    let row = vector.row_mut(i);
    match present {
        None if wanted => row.fill(ABSENT),
        None => {}
        Some(present) => {
            for (v, &present) in row.iter_mut().zip(present) {
                *v = if present == wanted { *v } else { ABSENT };
            }
        }
    }
}

pub(super) fn and(mut lhs: Vector, rhs: &Vector, signatures: &Signatures) -> Vector {
    let present = presence(rhs, &signatures.rhs, signatures.count);
    for (i, &signature) in signatures.lhs.iter().enumerate() {
        mask(&mut lhs, i, present[signature].as_deref(), true);
    }
    lhs
}

pub(super) fn unless(mut lhs: Vector, rhs: &Vector, signatures: &Signatures) -> Vector {
    let present = presence(rhs, &signatures.rhs, signatures.count);
    for (i, &signature) in signatures.lhs.iter().enumerate() {
        mask(&mut lhs, i, present[signature].as_deref(), false);
    }
    lhs
}

pub(super) fn or(mut lhs: Vector, rhs: &Vector, signatures: &Signatures) -> Result<Vector, Error> {
    let present = presence(&lhs, &signatures.lhs, signatures.count);
    for ((head, values), &signature) in rhs.rows().zip(&signatures.rhs) {
        lhs.push(head.clone(), values)?;
        let last = lhs.len() - 1;
        mask(&mut lhs, last, present[signature].as_deref(), false);
    }
    Ok(lhs)
}
