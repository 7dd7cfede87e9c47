//! Operators between values of which one at least is a native histogram.

use model::{CounterResetHint, FloatHistogram};
use promql::Span;
use promql::ast::BinaryOp;

use crate::native::{self, Added, Incompatible, Native};
use crate::notes::{HistogramOperation, Notes};

#[derive(Clone, Copy, Debug)]
pub(super) enum Operand<'a> {
    Float(f64),
    Histogram(&'a FloatHistogram),
}

#[derive(Debug)]
pub(super) enum Outcome {
    Histogram(FloatHistogram),
    /// A comparison that does not hold.
    Filtered,
}

/// What the operator gives; nothing, with a note, where it makes no sense between these two.
pub(super) fn between(
    op: BinaryOp,
    lhs: Operand<'_>,
    rhs: Operand<'_>,
    notes: &mut Notes,
    span: Span,
) -> Option<Outcome> {
    let computed = |h: &FloatHistogram, change: &dyn Fn(&mut Native)| {
        let mut native = Native::from(h);
        change(&mut native);
        Some(Outcome::Histogram(native.finish()))
    };
    match (lhs, rhs, op) {
        (Operand::Float(v), Operand::Histogram(h), BinaryOp::Mul)
        | (Operand::Histogram(h), Operand::Float(v), BinaryOp::Mul) => computed(h, &|h| h.multiply(v)),
        (Operand::Histogram(h), Operand::Float(v), BinaryOp::Div) => computed(h, &|h| h.divide(v)),
        (Operand::Histogram(h), Operand::Float(v), BinaryOp::TrimUpper) => {
            Some(Outcome::Histogram(native::trim(h, v, true)))
        }
        (Operand::Histogram(h), Operand::Float(v), BinaryOp::TrimLower) => {
            Some(Outcome::Histogram(native::trim(h, v, false)))
        }
        (Operand::Histogram(a), Operand::Histogram(b), BinaryOp::Eq | BinaryOp::Ne) => {
            let holds = native::equal(a, b) == (op == BinaryOp::Eq);
            Some(if holds { Outcome::Histogram(a.clone()) } else { Outcome::Filtered })
        }
        (Operand::Histogram(a), Operand::Histogram(b), BinaryOp::Add | BinaryOp::Sub) => {
            let mut result = Native::from(a);
            let (added, operation) = if op == BinaryOp::Add {
                (result.add(b, false), HistogramOperation::Addition)
            } else {
                (result.subtract(b), HistogramOperation::Subtraction)
            };
            match added {
                Err(Incompatible) => {
                    notes.incompatible_layout(op.as_str(), span);
                    return None;
                }
                Ok(Added { collision: true, .. }) => {
                    notes.counter_reset_collision(operation, span);
                    return None;
                }
                Ok(Added { reconciled: true, .. }) => notes.mismatched_bounds(operation, span),
                Ok(_) => {}
            }
            if op == BinaryOp::Sub {
                result.hint = CounterResetHint::Gauge;
            }
            Some(Outcome::Histogram(result.finish()))
        }
        _ => {
            let name = |operand| if matches!(operand, Operand::Float(_)) { "float" } else { "histogram" };
            notes.incompatible_types(name(lhs), op.as_str(), name(rhs), span);
            None
        }
    }
}
