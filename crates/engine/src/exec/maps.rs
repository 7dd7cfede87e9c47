//! Functions of one value at a time, over whole rows.

use std::f64::consts::PI;
use std::sync::Arc;

use promql::ast::BinaryOp;
use promql::{FunctionId, Span};

use super::histograms::{self, Operand, Outcome};
use super::{Run, scalars};
use crate::date;
use crate::math::{go_max, go_min};
use crate::native::Native;
use crate::notes::Notes;
use crate::plan::Map;
use crate::vector::{ABSENT, Histograms, is_absent};
use crate::{Error, Grid};

/// A [`Map`] with its scalar arguments evaluated, one value a step.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Math(fn(f64) -> f64),
    Date(FunctionId),
    Negate,
    /// Seconds of the step itself.
    StepTime(Arc<[f64]>),
    Arithmetic {
        op: BinaryOp,
        scalar: Arc<[f64]>,
        scalar_first: bool,
        return_bool: bool,
        span: Span,
        drops_name: bool,
    },
    Clamp {
        min: Option<Arc<[f64]>>,
        max: Option<Arc<[f64]>>,
    },
    Round(Option<Arc<[f64]>>),
}

impl Run<'_> {
    pub(super) fn bind(&mut self, map: Map, grid: &Grid) -> Result<Bound, Error> {
        let drops_name = map.drops_name();
        Ok(match map {
            Map::Math(FunctionId::Timestamp) => {
                Bound::StepTime((0..grid.len()).map(|i| grid.at(i) as f64 / 1000.0).collect())
            }
            Map::Math(function) => Bound::Math(
                math(function).ok_or_else(|| Error::BadQuery(format!("function {function:?} is not supported yet")))?,
            ),
            Map::Date(function) => Bound::Date(function),
            Map::Negate => Bound::Negate,
            Map::Arithmetic { op, scalar, scalar_first, return_bool, span } => {
                Bound::Arithmetic { op, scalar: self.scalar(scalar)?, scalar_first, return_bool, span, drops_name }
            }
            Map::Clamp { min, max } => Bound::Clamp {
                min: min.map(|id| self.scalar(id)).transpose()?,
                max: max.map(|id| self.scalar(id)).transpose()?,
            },
            Map::Round { to } => Bound::Round(to.map(|id| self.scalar(id)).transpose()?),
        })
    }
}

impl Bound {
    pub(super) fn drops_name(&self) -> bool {
        match self {
            Self::Arithmetic { drops_name, .. } => *drops_name,
            _ => true,
        }
    }

    /// Changes a row of all steps in place.
    pub(super) fn apply(&self, row: &mut [f64], notes: &mut Notes) {
        match self {
            Self::Math(function) => each(row, |_, v| function(v)),
            Self::Negate => each(row, |_, v| -v),
            Self::Date(function) => each(row, |_, v| date::part(*function, v)),
            Self::StepTime(time) => each(row, |step, _| time[step]),
            Self::Round(None) => each(row, |_, v| (v + 0.5).floor()),
            Self::Round(Some(to)) => each(row, |step, v| {
                let inverse = 1.0 / to[step];
                (v * inverse + 0.5).floor() / inverse
            }),
            Self::Clamp { min, max } => each(row, |step, v| {
                let min = min.as_ref().map_or(f64::NEG_INFINITY, |row| row[step]);
                let max = max.as_ref().map_or(f64::INFINITY, |row| row[step]);
                if max < min { ABSENT } else { go_max(min, go_min(max, v)) }
            }),
            Self::Arithmetic { op: op @ (BinaryOp::TrimLower | BinaryOp::TrimUpper), span, .. } => {
                if row.iter().any(|&v| !is_absent(v)) {
                    notes.incompatible_types("float", op.as_str(), "float", *span);
                    row.fill(ABSENT);
                }
            }
            Self::Arithmetic { op, scalar, scalar_first, return_bool, .. } => {
                arithmetic(*op, row, scalar, *scalar_first, *return_bool);
            }
        }
    }
}

impl Bound {
    /// What becomes of the native histograms of a row; most functions know only floats.
    pub(super) fn apply_histograms(
        &self,
        row: &mut [f64],
        mut histograms: Histograms,
        notes: &mut Notes,
    ) -> Option<Histograms> {
        match self {
            Self::StepTime(time) => {
                for (step, _) in histograms.iter().enumerate().filter(|(_, h)| h.is_some()) {
                    row[step] = time[step];
                }
                None
            }
            Self::Arithmetic { op, scalar, scalar_first, span, .. } => {
                for (step, cell) in histograms.iter_mut().enumerate() {
                    let Some(h) = cell.take() else { continue };
                    let (h, float) = (Operand::Histogram(&h), Operand::Float(scalar[step]));
                    let (lhs, rhs) = if *scalar_first { (float, h) } else { (h, float) };
                    if let Some(Outcome::Histogram(h)) = histograms::between(*op, lhs, rhs, notes, *span) {
                        *cell = Some(Arc::new(h));
                    }
                }
                histograms.iter().any(Option::is_some).then_some(histograms)
            }
            Self::Negate => {
                for cell in &mut histograms {
                    let Some(h) = cell else { continue };
                    let mut negated = Native::from(&**h);
                    negated.multiply(-1.0);
                    *cell = Some(Arc::new(negated.finish()));
                }
                Some(histograms)
            }
            _ => None,
        }
    }
}

#[inline(always)]
fn each(row: &mut [f64], value: impl Fn(usize, f64) -> f64) {
    for (step, v) in row.iter_mut().enumerate() {
        *v = if is_absent(*v) { ABSENT } else { value(step, *v) };
    }
}

fn arithmetic(op: BinaryOp, row: &mut [f64], scalar: &[f64], scalar_first: bool, return_bool: bool) {
    let scalar = &scalar[..row.len()];
    if op.is_comparison() {
        return each(row, |step, v| {
            let holds =
                if scalar_first { scalars::holds(op, scalar[step], v) } else { scalars::holds(op, v, scalar[step]) };
            match (return_bool, holds) {
                (true, holds) => f64::from(u8::from(holds)),
                (false, true) => v,
                (false, false) => ABSENT,
            }
        });
    }
    // One loop for each of the common operators, so that they run on whole vectors.
    match (op, scalar_first) {
        (BinaryOp::Add, _) => each(row, |step, v| v + scalar[step]),
        (BinaryOp::Mul, _) => each(row, |step, v| v * scalar[step]),
        (BinaryOp::Sub, false) => each(row, |step, v| v - scalar[step]),
        (BinaryOp::Div, false) => each(row, |step, v| v / scalar[step]),
        (_, true) => each(row, |step, v| scalars::between(op, scalar[step], v)),
        (_, false) => each(row, |step, v| scalars::between(op, v, scalar[step])),
    }
}

fn math(function: FunctionId) -> Option<fn(f64) -> f64> {
    use FunctionId as F;
    Some(match function {
        F::Abs => f64::abs,
        F::Ceil => f64::ceil,
        F::Floor => f64::floor,
        F::Exp => f64::exp,
        F::Sqrt => f64::sqrt,
        F::Ln => f64::ln,
        F::Log2 => f64::log2,
        F::Log10 => f64::log10,
        F::Sin => f64::sin,
        F::Cos => f64::cos,
        F::Tan => f64::tan,
        F::Asin => f64::asin,
        F::Acos => f64::acos,
        F::Atan => f64::atan,
        F::Sinh => f64::sinh,
        F::Cosh => f64::cosh,
        F::Tanh => f64::tanh,
        F::Asinh => f64::asinh,
        F::Acosh => f64::acosh,
        F::Atanh => f64::atanh,
        F::Rad => |v| v * PI / 180.0,
        F::Deg => |v| v * 180.0 / PI,
        F::Sgn => |v| {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        },
        _ => return None,
    })
}
