//! Values of single operators, and scalars.

use std::sync::Arc;

use promql::ast::BinaryOp;

use crate::math::{go_max, go_min};
use crate::plan::ScalarOp;
use crate::vector::{ABSENT, Vector, is_absent};

/// What an operator gives between two values of vectors: arithmetic, or the left value where a
/// comparison holds.
#[inline(always)]
pub(super) fn between(op: BinaryOp, lhs: f64, rhs: f64) -> f64 {
    match op {
        BinaryOp::Add => lhs + rhs,
        BinaryOp::Sub => lhs - rhs,
        BinaryOp::Mul => lhs * rhs,
        BinaryOp::Div => lhs / rhs,
        BinaryOp::Mod => lhs % rhs,
        BinaryOp::Pow => lhs.powf(rhs),
        BinaryOp::Atan2 => lhs.atan2(rhs),
        _ => {
            if holds(op, lhs, rhs) {
                lhs
            } else {
                ABSENT
            }
        }
    }
}

#[inline(always)]
pub(super) fn holds(op: BinaryOp, lhs: f64, rhs: f64) -> bool {
    match op {
        BinaryOp::Eq => lhs == rhs,
        BinaryOp::Ne => lhs != rhs,
        BinaryOp::Gt => lhs > rhs,
        BinaryOp::Lt => lhs < rhs,
        BinaryOp::Ge => lhs >= rhs,
        BinaryOp::Le => lhs <= rhs,
        _ => false,
    }
}

/// Step by step between two scalars; comparisons give 0 or 1.
pub(crate) fn combine(op: ScalarOp, lhs: &[f64], rhs: &[f64]) -> Arc<[f64]> {
    let value = |a: f64, b: f64| match op {
        ScalarOp::MaxOf => go_max(a, b),
        ScalarOp::MinOf => go_min(a, b),
        ScalarOp::Binary(op) if op.is_comparison() => f64::from(u8::from(holds(op, a, b))),
        ScalarOp::Binary(op) => between(op, a, b),
    };
    lhs.iter().zip(rhs).map(|(&a, &b)| value(a, b)).collect()
}

/// The value of the only series at each step; NaN where there is none or more than one.
pub(super) fn from_vector(vector: &Vector) -> Arc<[f64]> {
    let mut out = vec![ABSENT; vector.steps];
    let mut several = vec![false; vector.steps];
    for (_, row) in vector.rows() {
        for ((out, several), &v) in out.iter_mut().zip(&mut several).zip(row) {
            if !is_absent(v) {
                *several |= !is_absent(*out);
                *out = v;
            }
        }
    }
    out.iter().zip(&several).map(|(&v, &several)| if several || is_absent(v) { f64::NAN } else { v }).collect()
}
