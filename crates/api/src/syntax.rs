//! Syntax trees as `parse_query` gives them: Prometheus' fields, keys in alphabetical order.

use promql::ast::{
    Aggregate, At, Binary, Call, Duration, Kind, MatrixSelector, Subquery, TimeModifiers, VectorSelector,
};
use promql::{Ast, NodeId};

use crate::text::write_str;

/// The tree of a query as JSON. Takes no more stack for a deep one.
#[must_use]
pub fn syntax_tree(ast: &Ast) -> Vec<u8> {
    let mut out = Vec::new();
    let mut todo = vec![Part::Node(ast.root())];
    while let Some(part) = todo.pop() {
        let mut object = Object { out: &mut out, ast, later: Vec::new() };
        match part {
            Part::Text(text) => object.out.extend_from_slice(text.as_bytes()),
            Part::Node(id) => object.node(id),
            Part::Duration(id) => object.duration(id),
        }
        todo.extend(object.later.into_iter().rev());
    }
    out
}

/// What is still to be written.
enum Part {
    Text(String),
    Node(NodeId),
    /// An operand of arithmetic on durations.
    Duration(NodeId),
}

/// Writes the fields of one node; once a child is met, everything after it waits.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    ast: &'a Ast,
    later: Vec<Part>,
}

impl Object<'_> {
    fn text(&mut self, text: &str) {
        match self.later.last_mut() {
            None => self.out.extend_from_slice(text.as_bytes()),
            Some(Part::Text(waiting)) => waiting.push_str(text),
            Some(_) => self.later.push(Part::Text(text.to_owned())),
        }
    }

    fn string(&mut self, text: &str) {
        let mut json = Vec::new();
        write_str(&mut json, text);
        self.text(&String::from_utf8_lossy(&json));
    }

    /// A list of texts.
    fn list<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        self.text("[");
        for (i, text) in texts.into_iter().enumerate() {
            if i > 0 {
                self.text(",");
            }
            self.string(text);
        }
        self.text("]");
    }

    fn child(&mut self, key: &str, id: NodeId) {
        self.text(key);
        self.later.push(Part::Node(id));
    }

    fn duration_child(&mut self, key: &str, id: Option<NodeId>) {
        self.text(key);
        match id {
            None => self.text("null"),
            Some(id) => self.later.push(Part::Duration(id)),
        }
    }

    fn node(&mut self, id: NodeId) {
        match self.ast.kind(id) {
            Kind::Number(number) => {
                self.text(r#"{"type":"numberLiteral","val":"#);
                self.string(&plain(number.value));
                self.text("}");
            }
            Kind::String(bytes) => {
                self.text(r#"{"type":"stringLiteral","val":"#);
                self.string(&String::from_utf8_lossy(bytes));
                self.text("}");
            }
            Kind::Vector(selector) => self.selector(selector, None),
            Kind::Matrix(matrix) => {
                if let Kind::Vector(selector) = self.ast.kind(matrix.selector) {
                    self.selector(selector, Some(matrix));
                }
            }
            Kind::Subquery(subquery) => self.subquery(subquery),
            Kind::Call(call) => self.call(call),
            Kind::Aggregate(aggregate) => self.aggregate(aggregate),
            Kind::Binary(binary) => self.binary(binary),
            Kind::Unary(unary) => {
                self.child(r#"{"expr":"#, unary.expr);
                self.text(&format!(r#","op":"{}","type":"unaryExpr"}}"#, unary.op));
            }
            Kind::Paren(inner) => {
                self.child(r#"{"expr":"#, *inner);
                self.text(r#","type":"parenExpr"}"#);
            }
            Kind::Duration(duration) => self.duration_expr(duration),
        }
    }

    fn duration(&mut self, id: NodeId) {
        match self.ast.kind(id) {
            Kind::Number(number) => {
                self.text(&format!(r#"{{"duration":{},"type":"numberLiteral","val":"#, number.duration));
                self.string(&plain(number.value));
                self.text("}");
            }
            _ => self.node(id),
        }
    }

    fn duration_expr(&mut self, duration: &Duration) {
        self.duration_child(r#"{"lhs":"#, duration.lhs);
        self.text(&format!(r#","op":"{}""#, duration.op));
        self.duration_child(r#","rhs":"#, duration.rhs);
        self.text(&format!(r#","type":"durationExpr","wrapped":{}}}"#, duration.wrapped));
    }

    fn selector(&mut self, selector: &VectorSelector, matrix: Option<&MatrixSelector>) {
        self.text(&format!(r#"{{"anchored":{},"matchers":["#, selector.anchored));
        for (i, matcher) in selector.matchers.iter().enumerate() {
            self.text(if i > 0 { r#",{"name":"# } else { r#"{"name":"# });
            self.string(&matcher.name);
            self.text(&format!(r#","type":"{}","value":"#, matcher.op.as_str()));
            self.string(&matcher.value);
            self.text("}");
        }
        self.text(r#"],"name":"#);
        self.string(&selector.name);
        self.offset(&selector.modifiers);
        if let Some(matrix) = matrix {
            self.text(&format!(r#","range":{}"#, matrix.range_ms));
            self.duration_child(r#","rangeExpr":"#, matrix.range_expr);
        }
        self.text(&format!(r#","smoothed":{}"#, selector.smoothed));
        self.start_or_end(&selector.modifiers);
        self.timestamp(&selector.modifiers);
        let kind = if matrix.is_some() { "matrixSelector" } else { "vectorSelector" };
        self.text(&format!(r#","type":"{kind}"}}"#));
    }

    fn subquery(&mut self, subquery: &Subquery) {
        self.child(r#"{"expr":"#, subquery.expr);
        self.offset(&subquery.modifiers);
        self.text(&format!(r#","range":{}"#, subquery.range_ms));
        self.duration_child(r#","rangeExpr":"#, subquery.range_expr);
        self.start_or_end(&subquery.modifiers);
        self.text(&format!(r#","step":{}"#, subquery.step_ms));
        self.duration_child(r#","stepExpr":"#, subquery.step_expr);
        self.timestamp(&subquery.modifiers);
        self.text(r#","type":"subquery"}"#);
    }

    fn offset(&mut self, modifiers: &TimeModifiers) {
        self.text(&format!(r#","offset":{}"#, modifiers.offset_ms));
        self.duration_child(r#","offsetExpr":"#, modifiers.offset_expr);
    }

    fn start_or_end(&mut self, modifiers: &TimeModifiers) {
        self.text(match modifiers.at {
            Some(At::Start) => r#","startOrEnd":"start""#,
            Some(At::End) => r#","startOrEnd":"end""#,
            _ => r#","startOrEnd":null"#,
        });
    }

    fn timestamp(&mut self, modifiers: &TimeModifiers) {
        match modifiers.at {
            Some(At::Timestamp(ms)) => self.text(&format!(r#","timestamp":{ms}"#)),
            _ => self.text(r#","timestamp":null"#),
        }
    }

    fn call(&mut self, call: &Call) {
        self.text(r#"{"args":["#);
        for (i, &arg) in call.args.iter().enumerate() {
            self.child(if i > 0 { "," } else { "" }, arg);
        }
        self.text(r#"],"func":{"argTypes":"#);
        self.list(call.func.arg_types.iter().map(|t| t.as_str()));
        let (name, returns, variadic) = (call.func.name, call.func.return_type, call.func.variadic);
        self.text(&format!(r#","name":"{name}","returnType":"{returns}","variadic":{variadic}}},"type":"call"}}"#));
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        self.child(r#"{"expr":"#, aggregate.expr);
        self.text(r#","grouping":"#);
        self.list(aggregate.grouping.iter().map(String::as_str));
        self.text(&format!(r#","op":"{}","param":"#, aggregate.op));
        match aggregate.param {
            None => self.text("null"),
            Some(param) => self.child("", param),
        }
        self.text(&format!(r#","type":"aggregation","without":{}}}"#, aggregate.without));
    }

    fn binary(&mut self, binary: &Binary) {
        self.text(&format!(r#"{{"bool":{}"#, binary.return_bool));
        self.child(r#","lhs":"#, binary.lhs);
        self.text(r#","matching":"#);
        match &binary.matching {
            None => self.text("null"),
            Some(matching) => {
                let value = |v: Option<f64>| v.map_or_else(|| "null".to_owned(), plain);
                let (lhs, rhs) = (value(matching.fill.lhs), value(matching.fill.rhs));
                let card = matching.card.as_str();
                self.text(&format!(r#"{{"card":"{card}","fillValues":{{"lhs":{lhs},"rhs":{rhs}}},"include":"#));
                self.list(matching.include.iter().map(String::as_str));
                self.text(r#","labels":"#);
                self.list(matching.labels.iter().map(String::as_str));
                self.text(&format!(r#","on":{}}}"#, matching.on));
            }
        }
        self.text(&format!(r#","op":"{}""#, binary.op));
        self.child(r#","rhs":"#, binary.rhs);
        self.text(r#","type":"binaryExpr"}"#);
    }
}

/// Without exponent, as short as reads back the same.
fn plain(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        v.to_string()
    }
}

#[cfg(test)]
mod tests;
