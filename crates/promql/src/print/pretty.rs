//! The prettifier, by the rules of Prometheus' `promql/parser/prettier_rules.md`: a node wider than 100
//! characters puts its operands on lines of their own, one level deeper.

use super::{push_operator, push_subquery_tail};
use crate::{Ast, Kind, NodeId};

const MAX_WIDTH: usize = 100;
const INDENT: &str = "  ";
/// Deeper lines stand no further to the right, so that the text of a long chain stays linear in its length.
const MAX_INDENT: usize = 200;

/// What is left to print.
enum Step {
    /// A node, how deep its line is indented, and whether that line has begun already.
    Node(NodeId, usize, bool),
    Text(&'static str),
    Indent(usize),
    Operator(NodeId),
    SubqueryTail(NodeId),
}

pub(super) fn pretty(ast: &Ast) -> String {
    let mut printer =
        Pretty { ast, widths: widths(ast), out: String::new(), steps: vec![Step::Node(ast.root(), 0, false)] };
    while let Some(step) = printer.steps.pop() {
        printer.step(step);
    }
    printer.out
}

struct Pretty<'a> {
    ast: &'a Ast,
    widths: Vec<usize>,
    out: String,
    steps: Vec<Step>,
}

impl Pretty<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Text(text) => self.out.push_str(text),
            Step::Indent(level) => self.indent(level),
            Step::Operator(id) => {
                if let Kind::Binary(binary) = self.ast.kind(id) {
                    push_operator(&mut self.out, binary);
                }
            }
            Step::SubqueryTail(id) => {
                if let Kind::Subquery(subquery) = self.ast.kind(id) {
                    push_subquery_tail(self.ast, &mut self.out, subquery);
                }
            }
            Step::Node(id, level, begun) => self.node(id, level, begun),
        }
    }

    fn node(&mut self, id: NodeId, level: usize, begun: bool) {
        let fits = self.widths[id.index()] <= MAX_WIDTH;
        let kind = self.ast.kind(id);
        // These begin with an operand, which indents itself; Prometheus forgets it for a subquery that fits.
        let indents = !matches!(kind, Kind::Subquery(_)) && (fits || !matches!(kind, Kind::Binary(_)));
        if indents && !begun {
            self.indent(level);
        }
        match kind {
            Kind::Unary(unary) => {
                self.out.push_str(unary.op.as_str());
                self.steps.push(Step::Node(unary.expr, level, true));
            }
            Kind::Aggregate(_) | Kind::Call(_) | Kind::Paren(_) if !fits => self.split(id, level),
            Kind::Binary(binary) if !fits => self.then([
                Step::Node(binary.lhs, level + 1, begun),
                Step::Text("\n"),
                Step::Indent(level),
                Step::Operator(id),
                Step::Text("\n"),
                Step::Node(binary.rhs, level + 1, false),
            ]),
            Kind::Subquery(subquery) if !fits => {
                self.then([Step::Node(subquery.expr, level, begun), Step::SubqueryTail(id)]);
            }
            _ => {
                let text = self.ast.print(id);
                self.out.push_str(&text);
            }
        }
    }

    /// A head, the operands on lines of their own, and a closing parenthesis.
    fn split(&mut self, id: NodeId, level: usize) {
        let head = self.ast.print_short(id);
        self.out.push_str(&head);
        self.out.push_str("(\n");
        self.then([Step::Text("\n"), Step::Indent(level), Step::Text(")")]);
        let mut operands: Vec<NodeId> = self.ast.children(id).collect();
        if matches!(self.ast.kind(id), Kind::Aggregate(_)) {
            // The parameter is written first.
            operands.reverse();
        }
        for (i, operand) in operands.into_iter().enumerate().rev() {
            self.steps.push(Step::Node(operand, level + 1, false));
            if i > 0 {
                self.steps.push(Step::Text(",\n"));
            }
        }
    }

    /// What comes next, in order.
    fn then<const N: usize>(&mut self, steps: [Step; N]) {
        self.steps.extend(steps.into_iter().rev());
    }

    fn indent(&mut self, level: usize) {
        for _ in 0..level.min(MAX_INDENT) {
            self.out.push_str(INDENT);
        }
    }
}

/// The length of each node's canonical text, bottom-up, so that no text is printed twice.
fn widths(ast: &Ast) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::with_capacity(ast.nodes().len());
    for (index, node) in ast.nodes().iter().enumerate() {
        let id = NodeId::from_index(index);
        let of = |id: NodeId| widths[id.index()];
        let width = match &node.kind {
            Kind::Aggregate(a) => ast.print_short(id).len() + 2 + of(a.expr) + a.param.map_or(0, |p| of(p) + 2),
            Kind::Call(call) => {
                call.func.name.len()
                    + 2
                    + call.args.iter().map(|a| of(*a)).sum::<usize>()
                    + 2 * call.args.len().saturating_sub(1)
            }
            Kind::Binary(binary) => of(binary.lhs) + ast.print_short(id).len() + 2 + of(binary.rhs),
            Kind::Unary(unary) => 1 + of(unary.expr),
            Kind::Paren(inner) => 2 + of(*inner),
            Kind::Subquery(subquery) => of(subquery.expr) + ast.print_short(id).len(),
            // Printed with what holds it.
            Kind::Duration(_) => 0,
            Kind::Number(_) | Kind::String(_) | Kind::Vector(_) | Kind::Matrix(_) => ast.print(id).len(),
        };
        widths.push(width);
    }
    widths
}
