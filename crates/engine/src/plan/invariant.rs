//! Which parts of a query give the same at every step: they are evaluated once and repeated.

use promql::FunctionId;
use promql::ast::{Aggregate, Ast, Binary, Kind, MatrixSelector, NodeId, Subquery, Unary};

/// What is known of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Invariance {
    /// The same at every step.
    pub(super) invariant: bool,
    /// And worth evaluating once: it is not just a literal or a range.
    pub(super) worth: bool,
}

const BOTH: Invariance = Invariance { invariant: true, worth: true };
const LITERAL: Invariance = Invariance { invariant: true, worth: false };
const NEITHER: Invariance = Invariance { invariant: false, worth: false };

/// The invariance of every node, by [`NodeId::index`].
pub(super) fn analyse(ast: &Ast) -> Vec<Invariance> {
    let mut known: Vec<Invariance> = Vec::with_capacity(ast.nodes().len());
    for node in ast.nodes() {
        let of = |id: &NodeId| known[id.index()];
        let invariance = match &node.kind {
            Kind::Number(_) | Kind::String(_) | Kind::Duration(_) => LITERAL,
            Kind::Vector(selector) if selector.modifiers.at.is_some() => BOTH,
            Kind::Vector(_) => NEITHER,
            Kind::Matrix(MatrixSelector { selector, .. }) => Invariance { worth: false, ..of(selector) },
            Kind::Subquery(Subquery { modifiers, .. }) if modifiers.at.is_some() => LITERAL,
            Kind::Subquery(_) => NEITHER,
            Kind::Paren(inner)
            | Kind::Unary(Unary { expr: inner, .. })
            | Kind::Aggregate(Aggregate { expr: inner, .. }) => of(inner),
            Kind::Binary(Binary { lhs, rhs, .. }) if of(lhs).invariant && of(rhs).invariant => BOTH,
            Kind::Binary(_) => NEITHER,
            Kind::Call(call) => match call.func.id {
                // These become numbers.
                FunctionId::Start | FunctionId::End | FunctionId::Range | FunctionId::Step => LITERAL,
                // `timestamp(selector @ t)` reads nothing but the samples.
                FunctionId::Timestamp if call.args.iter().all(|arg| is_pinned_selector(ast, *arg)) => BOTH,
                id if depends_on_the_step(id) => NEITHER,
                _ if call.args.iter().all(|arg| of(arg).invariant) => BOTH,
                _ => NEITHER,
            },
        };
        known.push(invariance);
    }
    known
}

fn is_pinned_selector(ast: &Ast, id: NodeId) -> bool {
    matches!(ast.kind(ast.unwrap_parens(id)), Kind::Vector(selector) if selector.modifiers.at.is_some())
}

fn depends_on_the_step(id: FunctionId) -> bool {
    use FunctionId::{
        DayOfMonth, DayOfWeek, DayOfYear, DaysInMonth, Hour, Minute, Month, PredictLinear, Time, Timestamp, Year,
    };
    matches!(
        id,
        DaysInMonth
            | DayOfMonth
            | DayOfWeek
            | DayOfYear
            | Hour
            | Minute
            | Month
            | Year
            | PredictLinear
            | Time
            | Timestamp
    )
}
