//! The type check: one walk over the tree without recursion. Errors come in the order in which
//! Prometheus' check finds them: arguments are counted before they are looked at, all else after.

use std::collections::HashSet;

use model::METRIC_NAME;
use model::quote::go_quote;

use crate::ast::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Fill, Unary, ValueType, VectorMatching, VectorSelector,
};
use crate::functions::FunctionId;
use crate::{Ast, Kind, NodeId, Span};

/// What does not fit, and where.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) span: Span,
    pub(super) message: String,
}

impl Mismatch {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

/// Checks the whole tree; marks set operators as many-to-many and drops the matching of operators that
/// have a scalar side.
pub(super) fn check(ast: &mut Ast, input: &str) -> Result<(), Mismatch> {
    // A node and how many of its children are done.
    let mut stack: Vec<(NodeId, usize)> = vec![(ast.root(), 0)];
    while let Some((id, done)) = stack.last_mut() {
        let (id, at) = (*id, *done);
        *done += 1;
        if at == 0 {
            before_children(ast, id)?;
        } else {
            after_child(ast, id, at - 1)?;
        }
        if let Some(child) = nth_child(ast, id, at) {
            stack.push((child, 0));
        } else {
            stack.pop();
            // Selectors that only say which labels `info` adds may match everything.
            let is_info_labels = stack.last().is_some_and(|&(parent, done)| done == 2 && is_info(ast, parent));
            after_children(ast, id, input, is_info_labels)?;
        }
    }
    Ok(())
}

/// The `n`-th child that is checked; surplus arguments are not.
fn nth_child(ast: &Ast, id: NodeId, n: usize) -> Option<NodeId> {
    match ast.kind(id) {
        Kind::Call(call) => call.args.get(n).copied(),
        Kind::Duration(_) => None,
        _ => ast.children(id).nth(n),
    }
}

fn is_info(ast: &Ast, id: NodeId) -> bool {
    matches!(ast.kind(id), Kind::Call(call) if call.func.id == FunctionId::Info)
}

fn before_children(ast: &Ast, id: NodeId) -> Result<(), Mismatch> {
    let Kind::Call(Call { func, args }) = ast.kind(id) else { return Ok(()) };
    let (span, wanted, got) = (ast.span(id), func.arg_types.len(), args.len());
    let wrong = |bound: &str, wanted: usize| {
        let name = go_quote(func.name.as_bytes());
        Err(Mismatch::new(span, format!("expected {bound}{wanted} argument(s) in call to {name}, got {got}")))
    };
    match usize::try_from(func.variadic) {
        Ok(0) if got != wanted => return wrong("", wanted),
        Ok(0) => {}
        Ok(more) if got > wanted - 1 + more => return wrong("at most ", wanted - 1 + more),
        _ if got < wanted - 1 => return wrong("at least ", wanted - 1),
        _ => {}
    }
    if func.id == FunctionId::Info && args.len() > 1 {
        let selector = args[1];
        let found = ast.value_type(selector);
        if found != ValueType::Vector {
            return Err(expected(span, ValueType::Vector, "call to function \"info\"", found));
        }
        match ast.kind(selector) {
            Kind::Vector(VectorSelector { name, .. }) if name.is_empty() => {}
            Kind::Vector(_) => {
                let message = "expected label selectors only, got vector selector instead";
                return Err(Mismatch::new(ast.span(selector), message));
            }
            _ => return Err(Mismatch::new(ast.span(selector), "expected label selectors only")),
        }
    }
    Ok(())
}

/// What a parent asks of its `n`-th child once that is found right in itself.
fn after_child(ast: &Ast, id: NodeId, n: usize) -> Result<(), Mismatch> {
    let require = |child: NodeId, wanted: ValueType, place: &str| {
        let found = ast.value_type(child);
        if found == wanted { Ok(()) } else { Err(expected(ast.span(child), wanted, place, found)) }
    };
    match ast.kind(id) {
        Kind::Aggregate(Aggregate { expr, .. }) if n == 0 => {
            require(*expr, ValueType::Vector, "aggregation expression")
        }
        Kind::Aggregate(Aggregate { op, param: Some(param), .. }) => {
            let wanted = if *op == AggregateOp::CountValues { ValueType::String } else { ValueType::Scalar };
            require(*param, wanted, "aggregation parameter")
        }
        Kind::Call(Call { func, args }) => {
            let Some(wanted) = func.arg_types.get(n).or(func.arg_types.last()) else { return Ok(()) };
            let place = format!("call to function {}", go_quote(func.name.as_bytes()));
            require(args[n], *wanted, &place)
        }
        _ => Ok(()),
    }
}

fn after_children(ast: &mut Ast, id: NodeId, input: &str, is_info_labels: bool) -> Result<(), Mismatch> {
    let span = ast.span(id);
    match ast.kind(id) {
        Kind::Binary(_) => check_binary(ast, id, input),
        Kind::Unary(Unary { expr, .. }) => match ast.value_type(*expr) {
            ValueType::Scalar | ValueType::Vector => Ok(()),
            found => {
                let what = "unary expression only allowed on expressions of type scalar or instant vector";
                Err(Mismatch::new(span, format!("{what}, got {}", go_quote(found.documented().as_bytes()))))
            }
        },
        Kind::Subquery(subquery) => match ast.value_type(subquery.expr) {
            ValueType::Vector => Ok(()),
            found => {
                Err(Mismatch::new(span, format!("subquery is only allowed on instant vector, got {found} instead")))
            }
        },
        Kind::Vector(selector) => check_selector(selector, span, is_info_labels),
        _ => Ok(()),
    }
}

fn check_binary(ast: &mut Ast, id: NodeId, input: &str) -> Result<(), Mismatch> {
    let span = ast.span(id);
    let Kind::Binary(Binary { op, lhs, rhs, matching, return_bool }) = ast.kind(id) else { return Ok(()) };
    let (op, lhs, rhs) = (*op, *lhs, *rhs);
    let (left, right) = (ast.value_type(lhs), ast.value_type(rhs));
    let at_operator = |message: String| Err(Mismatch::new(operator_span(input, ast.span(lhs), ast.span(rhs)), message));
    let both_scalars = left == ValueType::Scalar && right == ValueType::Scalar;
    let one_scalar = left == ValueType::Scalar || right == ValueType::Scalar;
    if *return_bool && !op.is_comparison() {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    if op.is_comparison() && !return_bool && both_scalars {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    let matching = matching.as_ref().cloned().unwrap_or_default();
    let include: HashSet<&String> = matching.include.iter().collect();
    if matching.on
        && let Some(label) = matching.labels.iter().find(|label| include.contains(label))
    {
        let label = go_quote(label.as_bytes());
        return at_operator(format!("label {label} must not occur in ON and GROUP clause at once"));
    }
    for (operand, found) in [(lhs, left), (rhs, right)] {
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(Mismatch::new(ast.span(operand), message));
        }
    }
    let here = |message: String| Err(Mismatch::new(span, message));
    let name = go_quote(op.as_str().as_bytes());
    if one_scalar {
        if !matching.labels.is_empty() {
            return here("vector matching only allowed between instant vectors".to_owned());
        }
        if matching.fill != Fill::default() {
            return here("filling in missing series only allowed between instant vectors".to_owned());
        }
        if op.is_set() {
            return here(format!("set operator {name} not allowed in binary scalar expression"));
        }
    } else if op.is_set() {
        if matches!(matching.card, Cardinality::OneToMany | Cardinality::ManyToOne) {
            return here(format!("no grouping allowed for {name} operation"));
        }
        if matching.fill != Fill::default() {
            return here("filling in missing series not allowed for set operators".to_owned());
        }
    }
    let matching = match (one_scalar, op.is_set()) {
        (true, _) => None,
        (false, true) => Some(VectorMatching { card: Cardinality::ManyToMany, ..matching }),
        (false, false) => Some(matching),
    };
    if let Kind::Binary(binary) = ast.kind_mut(id) {
        binary.matching = matching;
    }
    Ok(())
}

fn check_selector(selector: &VectorSelector, span: Span, may_match_all: bool) -> Result<(), Mismatch> {
    let VectorSelector { name, matchers, .. } = selector;
    if name.is_empty() {
        if may_match_all || matchers.iter().any(|m| !m.matches_empty()) {
            return Ok(());
        }
        return Err(Mismatch::new(span, "vector selector must contain at least one non-empty matcher"));
    }
    // The last matcher is the name's own.
    let others = &matchers[..matchers.len() - 1];
    let Some(other) = others.iter().find(|m| &*m.name == METRIC_NAME) else { return Ok(()) };
    let (name, other) = (go_quote(name.as_bytes()), go_quote(other.value.as_bytes()));
    Err(Mismatch::new(span, format!("metric name must not be set twice: {name} or {other}")))
}

/// Where the operator between two operands stands, without the space around it.
fn operator_span(input: &str, lhs: Span, rhs: Span) -> Span {
    let between = input.get(lhs.end as usize..rhs.start as usize).unwrap_or_default();
    let skipped = between.len() - between.trim_start_matches([' ', '\t', '\n', '\r']).len();
    Span::new(lhs.end.saturating_add(u32::try_from(skipped).unwrap_or_default()), rhs.start)
}

fn expected(span: Span, wanted: ValueType, place: &str, found: ValueType) -> Mismatch {
    let (wanted, found) = (wanted.documented(), found.documented());
    Mismatch::new(span, format!("expected type {wanted} in {place}, got {found}"))
}
