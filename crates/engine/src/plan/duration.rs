//! Duration expressions: `[5m * 2]`, `offset (step() + 1m)`.

use hashbrown::HashMap;
use promql::ast::{Ast, Duration, DurationOp, Kind, NodeId, UnaryOp};

use crate::math::{go_max, go_min, seconds};
use crate::{Error, Grid};

/// Milliseconds of a range, step or offset: as written, or computed where it is an expression.
pub(super) fn resolve(
    ast: &Ast,
    query: &Grid,
    ms: i64,
    expr: Option<NodeId>,
    may_be_negative: bool,
) -> Result<i64, Error> {
    let Some(id) = expr else { return Ok(ms) };
    let value = evaluate(ast, query, id)?;
    if !value.is_finite() {
        return Err(refuse(ast, id, "duration is NaN or infinite"));
    }
    if value <= 0.0 && !may_be_negative {
        return Err(refuse(ast, id, "duration must be greater than 0"));
    }
    if value.abs() > i64::MAX as f64 / 1e9 {
        return Err(refuse(ast, id, "duration is out of range"));
    }
    Ok((value * 1000.0) as i64)
}

fn refuse(ast: &Ast, id: NodeId, what: &str) -> Error {
    let span = ast.span(id);
    Error::BadQuery(format!("{}:{}: {what}", span.start, span.end))
}

/// Bottom-up over the nodes below `root`, which the arena keeps in that order.
fn evaluate(ast: &Ast, query: &Grid, root: NodeId) -> Result<f64, Error> {
    let mut order: Vec<NodeId> = ast.preorder(root).collect();
    order.sort_unstable();
    let mut values: HashMap<NodeId, f64> = HashMap::with_capacity(order.len());
    for id in order {
        let of = |id: &NodeId| values.get(id).copied().unwrap_or(0.0);
        let value = match ast.kind(id) {
            Kind::Number(number) => number.value,
            Kind::Duration(Duration { op, lhs, rhs, .. }) => {
                let rhs = rhs.as_ref().map_or(0.0, of);
                combine(*op, lhs.as_ref().map(of), rhs, query).map_err(|what| refuse(ast, id, what))?
            }
            Kind::Unary(unary) if unary.op == UnaryOp::Minus => -of(&unary.expr),
            Kind::Unary(unary) => of(&unary.expr),
            Kind::Paren(inner) => of(inner),
            _ => return Err(refuse(ast, id, "not a duration")),
        };
        values.insert(id, value);
    }
    Ok(values.get(&root).copied().unwrap_or(0.0))
}

fn combine(op: DurationOp, lhs: Option<f64>, rhs: f64, query: &Grid) -> Result<f64, &'static str> {
    let left = lhs.unwrap_or(0.0);
    Ok(match op {
        DurationOp::Step => seconds(query.step_ms),
        DurationOp::Range => seconds(query.end_ms - query.start_ms),
        // Without a left side they are signs.
        DurationOp::Sub if lhs.is_none() => -rhs,
        DurationOp::Add if lhs.is_none() => rhs,
        DurationOp::Add => left + rhs,
        DurationOp::Sub => left - rhs,
        DurationOp::Mul => left * rhs,
        DurationOp::Div if rhs == 0.0 => return Err("division by zero"),
        DurationOp::Div => left / rhs,
        DurationOp::Mod if rhs == 0.0 => return Err("modulo by zero"),
        DurationOp::Mod => left % rhs,
        DurationOp::Pow => left.powf(rhs),
        DurationOp::MaxOf => go_max(left, rhs),
        DurationOp::MinOf => go_min(left, rhs),
    })
}
