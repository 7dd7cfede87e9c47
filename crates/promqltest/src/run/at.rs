//! The same query with `@` at every selector: it has to give the same at any time.

use promql::ast::{At, Kind, TimeModifiers};
use promql::{Ast, FunctionId, NodeId, Options, parse};

/// Functions whose results change with the time of evaluation even where their arguments do not.
const TIME_DEPENDENT: &[FunctionId] = &[
    FunctionId::DaysInMonth,
    FunctionId::DayOfMonth,
    FunctionId::DayOfWeek,
    FunctionId::DayOfYear,
    FunctionId::End,
    FunctionId::Hour,
    FunctionId::Minute,
    FunctionId::Month,
    FunctionId::Year,
    FunctionId::PredictLinear,
    FunctionId::Range,
    FunctionId::Start,
    FunctionId::Step,
    FunctionId::Time,
    FunctionId::Timestamp,
];

/// Queries and times (Unix milliseconds) at which they give what `expr` gives at `time`; none where the
/// expression depends on the time otherwise.
pub(super) fn variants(expr: &str, time: i64) -> Result<Vec<(String, i64)>, String> {
    let mut ast = parse(expr, &Options::default()).map_err(|e| e.to_string())?;
    let mut stack = vec![ast.root()];
    while let Some(id) = stack.pop() {
        if let Kind::Call(call) = ast.kind(id)
            && TIME_DEPENDENT.contains(&call.func.id)
        {
            return Ok(Vec::new());
        }
        pin(&mut ast, id, time);
        // A subquery is pinned as a whole.
        if !matches!(ast.kind(id), Kind::Subquery(_)) {
            let children: Vec<NodeId> = ast.children(id).collect();
            stack.extend(children);
        }
    }
    let pinned = ast.to_string();
    let times = if time == 0 { vec![-1000, 0, 1000] } else { vec![-10 * time, 0, time / 5, time, 10 * time] };
    Ok(times.into_iter().map(|t| (pinned.clone(), t)).collect())
}

fn pin(ast: &mut Ast, id: NodeId, time: i64) {
    let modifiers: &mut TimeModifiers = match ast.kind_mut(id) {
        Kind::Vector(selector) => &mut selector.modifiers,
        Kind::Subquery(subquery) => &mut subquery.modifiers,
        _ => return,
    };
    if !matches!(modifiers.at, Some(At::Timestamp(_))) {
        modifiers.at = Some(At::Timestamp(time));
    }
}
