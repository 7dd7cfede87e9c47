//! The printer: text identical to what Prometheus prints, which parses to the same tree.

mod number;
mod pretty;

use std::fmt::{self, Write as _};

use model::quote::go_quote_into;
use model::{METRIC_NAME, MatchOp, Matcher};

pub(crate) use number::{format_fixed, format_float, format_general};

use crate::ast::{
    Aggregate, At, Binary, Cardinality, Duration, DurationOp, MatrixSelector, Number, Subquery, TimeModifiers,
    VectorMatching, VectorSelector,
};
use crate::{Ast, Kind, NodeId};

impl Ast {
    /// The canonical text of a node, as Prometheus prints it.
    #[must_use]
    pub fn print(&self, id: NodeId) -> String {
        let mut printer = Printer { ast: self, out: String::new(), steps: vec![Step::Node(id)] };
        printer.run();
        printer.out
    }

    /// The whole expression over several lines, as Prometheus formats it: a node goes on lines of its own
    /// where it is wider than 100 characters.
    #[must_use]
    pub fn pretty(&self) -> String {
        pretty::pretty(self)
    }

    /// What an aggregation, operator or subquery prints besides its operands: `sum by (job)`,
    /// `+ on (a) group_left ()`, `[5m:1m] offset 1h`, a function's name; empty for other nodes.
    #[must_use]
    pub fn print_short(&self, id: NodeId) -> String {
        let mut out = String::new();
        match self.kind(id) {
            Kind::Aggregate(aggregate) => push_aggregate_head(&mut out, aggregate),
            Kind::Binary(binary) => push_operator(&mut out, binary),
            Kind::Call(call) => out.push_str(call.func.name),
            Kind::Unary(unary) => out.push_str(unary.op.as_str()),
            Kind::Subquery(subquery) => push_subquery_tail(self, &mut out, subquery),
            Kind::Matrix(matrix) => push_matrix_tail(self, &mut out, matrix, false),
            _ => {}
        }
        out
    }
}

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print(self.root()))
    }
}

/// What is left to print.
enum Step {
    Node(NodeId),
    Text(&'static str),
    Operator(NodeId),
    SubqueryTail(NodeId),
}

/// Prints with a stack of its own: trees may be deep.
struct Printer<'a> {
    ast: &'a Ast,
    out: String,
    steps: Vec<Step>,
}

impl Printer<'_> {
    fn run(&mut self) {
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Node(id) => self.node(id),
                Step::Text(text) => self.out.push_str(text),
                Step::Operator(id) => {
                    if let Kind::Binary(binary) = self.ast.kind(id) {
                        self.out.push(' ');
                        push_operator(&mut self.out, binary);
                        self.out.push(' ');
                    }
                }
                Step::SubqueryTail(id) => {
                    if let Kind::Subquery(subquery) = self.ast.kind(id) {
                        push_subquery_tail(self.ast, &mut self.out, subquery);
                    }
                }
            }
        }
    }

    /// What comes next, in order.
    fn then<const N: usize>(&mut self, steps: [Step; N]) {
        self.steps.extend(steps.into_iter().rev());
    }

    fn node(&mut self, id: NodeId) {
        match self.ast.kind(id) {
            Kind::Number(number) => push_number(&mut self.out, number),
            Kind::String(bytes) => go_quote_into(&mut self.out, bytes),
            Kind::Vector(selector) => {
                push_name_and_matchers(&mut self.out, selector);
                push_at(&mut self.out, selector.modifiers.at);
                push_extended(&mut self.out, selector);
                push_offset(self.ast, &mut self.out, &selector.modifiers);
            }
            Kind::Matrix(matrix) => {
                if let Kind::Vector(selector) = self.ast.kind(matrix.selector) {
                    push_name_and_matchers(&mut self.out, selector);
                }
                push_matrix_tail(self.ast, &mut self.out, matrix, true);
            }
            Kind::Subquery(subquery) => self.then([Step::Node(subquery.expr), Step::SubqueryTail(id)]),
            Kind::Call(call) => {
                self.out.push_str(call.func.name);
                self.out.push('(');
                self.steps.push(Step::Text(")"));
                for (i, arg) in call.args.iter().enumerate().rev() {
                    self.steps.push(Step::Node(*arg));
                    if i > 0 {
                        self.steps.push(Step::Text(", "));
                    }
                }
            }
            Kind::Aggregate(aggregate) => {
                push_aggregate_head(&mut self.out, aggregate);
                self.out.push('(');
                self.then([Step::Node(aggregate.expr), Step::Text(")")]);
                if let Some(param) = aggregate.param {
                    self.then([Step::Node(param), Step::Text(", ")]);
                }
            }
            Kind::Binary(binary) => self.then([Step::Node(binary.lhs), Step::Operator(id), Step::Node(binary.rhs)]),
            Kind::Unary(unary) => {
                self.out.push_str(unary.op.as_str());
                self.steps.push(Step::Node(unary.expr));
            }
            Kind::Paren(inner) => self.then([Step::Text("("), Step::Node(*inner), Step::Text(")")]),
            Kind::Duration(duration) => self.duration(duration),
        }
    }

    fn duration(&mut self, duration: &Duration) {
        let Duration { op, lhs, rhs, wrapped } = *duration;
        if wrapped {
            self.out.push('(');
            self.steps.push(Step::Text(")"));
        }
        match (op, lhs, rhs) {
            (DurationOp::Step | DurationOp::Range, ..) => {
                self.out.push_str(op.as_str());
                self.out.push_str("()");
            }
            (DurationOp::MaxOf | DurationOp::MinOf, Some(lhs), Some(rhs)) => {
                self.out.push_str(op.as_str());
                self.out.push('(');
                self.then([Step::Node(lhs), Step::Text(", "), Step::Node(rhs), Step::Text(")")]);
            }
            (_, None, Some(rhs)) => {
                if op == DurationOp::Sub {
                    self.out.push('-');
                }
                self.steps.push(Step::Node(rhs));
            }
            (_, Some(lhs), Some(rhs)) => {
                let space = Step::Text(" ");
                self.then([Step::Node(lhs), space, Step::Text(op.as_str()), Step::Text(" "), Step::Node(rhs)]);
            }
            _ => {}
        }
    }
}

fn push_number(out: &mut String, number: &Number) {
    if !number.duration {
        format_float(out, number.value);
        return;
    }
    if number.value < 0.0 {
        out.push('-');
    }
    // By way of whole nanoseconds, as Prometheus does.
    let ns = (number.value.abs() * 1e9) as i64;
    out.push_str(&model::duration::format(ns / 1_000_000));
}

fn push_aggregate_head(out: &mut String, aggregate: &Aggregate) {
    out.push_str(aggregate.op.as_str());
    if aggregate.without || !aggregate.grouping.is_empty() {
        out.push_str(if aggregate.without { " without (" } else { " by (" });
        push_labels(out, &aggregate.grouping);
        out.push_str(") ");
    }
}

fn push_labels(out: &mut String, labels: &[String]) {
    for (i, label) in labels.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        push_label_name(out, label);
    }
}

fn push_label_name(out: &mut String, name: &str) {
    if is_plain_label(name) {
        out.push_str(name);
    } else {
        go_quote_into(out, name.as_bytes());
    }
}

/// Whether a label's name can stand without quotes.
fn is_plain_label(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// An operator with its modifiers, e.g. `== bool on (a) group_left ()`.
fn push_operator(out: &mut String, binary: &Binary) {
    out.push_str(binary.op.as_str());
    if binary.return_bool {
        out.push_str(" bool");
    }
    if let Some(matching) = &binary.matching {
        push_matching(out, matching);
    }
}

fn push_matching(out: &mut String, matching: &VectorMatching) {
    let group = match matching.card {
        Cardinality::ManyToOne => Some(" group_left ("),
        Cardinality::OneToMany => Some(" group_right ("),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    if !matching.labels.is_empty() || matching.on || group.is_some() {
        out.push_str(if matching.on { " on (" } else { " ignoring (" });
        push_labels(out, &matching.labels);
        out.push(')');
    }
    if let Some(group) = group {
        out.push_str(group);
        push_labels(out, &matching.include);
        out.push(')');
    }
    let mut fill = |name: &str, value: f64| {
        let _infallible = write!(out, " {name} ({})", format_general(value));
    };
    match (matching.fill.lhs, matching.fill.rhs) {
        (Some(lhs), Some(rhs)) if lhs == rhs => fill("fill", lhs),
        (lhs, rhs) => {
            if let Some(lhs) = lhs {
                fill("fill_left", lhs);
            }
            if let Some(rhs) = rhs {
                fill("fill_right", rhs);
            }
        }
    }
}

fn push_name_and_matchers(out: &mut String, selector: &VectorSelector) {
    out.push_str(&selector.name);
    let is_name = |m: &&Matcher| {
        &*m.name == METRIC_NAME && m.op == MatchOp::Equal && *m.value == *selector.name && !m.value.is_empty()
    };
    let mut texts: Vec<String> = selector.matchers.iter().filter(|m| !is_name(m)).map(ToString::to_string).collect();
    if texts.is_empty() {
        return;
    }
    texts.sort_unstable();
    out.push('{');
    out.push_str(&texts.join(","));
    out.push('}');
}

fn push_at(out: &mut String, at: Option<At>) {
    match at {
        None => {}
        #[expect(clippy::cast_precision_loss, reason = "Prometheus prints the float too")]
        Some(At::Timestamp(ms)) => {
            let _infallible = write!(out, " @ {:.3}", ms as f64 / 1000.0);
        }
        Some(At::Start) => out.push_str(" @ start()"),
        Some(At::End) => out.push_str(" @ end()"),
    }
}

fn push_extended(out: &mut String, selector: &VectorSelector) {
    if selector.anchored {
        out.push_str(" anchored");
    } else if selector.smoothed {
        out.push_str(" smoothed");
    }
}

fn push_offset(ast: &Ast, out: &mut String, modifiers: &TimeModifiers) {
    if let Some(expr) = modifiers.offset_expr {
        out.push_str(" offset ");
        out.push_str(&ast.print(expr));
    } else if modifiers.offset_ms != 0 {
        out.push_str(" offset ");
        out.push_str(&model::duration::format(modifiers.offset_ms));
    }
}

fn push_duration(ast: &Ast, out: &mut String, ms: i64, expr: Option<NodeId>) {
    match expr {
        Some(expr) => out.push_str(&ast.print(expr)),
        None => out.push_str(&model::duration::format(ms)),
    }
}

fn push_matrix_tail(ast: &Ast, out: &mut String, matrix: &MatrixSelector, extended: bool) {
    out.push('[');
    push_duration(ast, out, matrix.range_ms, matrix.range_expr);
    out.push(']');
    if let Kind::Vector(selector) = ast.kind(matrix.selector) {
        if extended {
            push_extended(out, selector);
        }
        push_at(out, selector.modifiers.at);
        push_offset(ast, out, &selector.modifiers);
    }
}

fn push_subquery_tail(ast: &Ast, out: &mut String, subquery: &Subquery) {
    out.push('[');
    push_duration(ast, out, subquery.range_ms, subquery.range_expr);
    out.push(':');
    if subquery.step_ms != 0 || subquery.step_expr.is_some() {
        push_duration(ast, out, subquery.step_ms, subquery.step_expr);
    }
    out.push(']');
    push_at(out, subquery.modifiers.at);
    push_offset(ast, out, &subquery.modifiers);
}

#[cfg(test)]
mod tests;
