//! Walking without recursion.

use super::{Aggregate, Ast, Binary, Kind, NodeId, Unary};

impl Ast {
    /// The operands of a node in the order of evaluation, parameters of aggregations after their vector.
    /// Duration expressions of ranges, steps and offsets are not among them.
    #[must_use]
    pub fn children(&self, id: NodeId) -> Children<'_> {
        match self.kind(id) {
            Kind::Number(_) | Kind::String(_) | Kind::Vector(_) => Children::none(),
            Kind::Matrix(matrix) => Children::pair(Some(matrix.selector), None),
            Kind::Subquery(subquery) => Children::pair(Some(subquery.expr), None),
            Kind::Call(call) => Children { pair: [None, None], rest: &call.args },
            Kind::Aggregate(Aggregate { expr, param, .. }) => Children::pair(Some(*expr), *param),
            Kind::Binary(Binary { lhs, rhs, .. }) => Children::pair(Some(*lhs), Some(*rhs)),
            Kind::Unary(Unary { expr, .. }) | Kind::Paren(expr) => Children::pair(Some(*expr), None),
            Kind::Duration(duration) => Children::pair(duration.lhs, duration.rhs),
        }
    }

    /// All nodes reachable from `id`, itself first, each before its children, from left to right.
    #[must_use]
    pub fn preorder(&self, id: NodeId) -> Preorder<'_> {
        Preorder { ast: self, stack: vec![id] }
    }
}

/// See [`Ast::children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    pair: [Option<NodeId>; 2],
    rest: &'a [NodeId],
}

impl Children<'_> {
    const fn none() -> Self {
        Self::pair(None, None)
    }

    const fn pair(first: Option<NodeId>, second: Option<NodeId>) -> Self {
        Self { pair: [first, second], rest: &[] }
    }
}

impl Iterator for Children<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let [first, second] = &mut self.pair;
        first.take().or_else(|| second.take()).or_else(|| {
            let (head, tail) = self.rest.split_first()?;
            self.rest = tail;
            Some(*head)
        })
    }
}

impl DoubleEndedIterator for Children<'_> {
    fn next_back(&mut self) -> Option<NodeId> {
        if let Some((last, init)) = self.rest.split_last() {
            self.rest = init;
            return Some(*last);
        }
        let [first, second] = &mut self.pair;
        second.take().or_else(|| first.take())
    }
}

/// See [`Ast::preorder`].
#[derive(Clone, Debug)]
pub struct Preorder<'a> {
    ast: &'a Ast,
    stack: Vec<NodeId>,
}

impl Iterator for Preorder<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let id = self.stack.pop()?;
        self.stack.extend(self.ast.children(id).rev());
        Some(id)
    }
}
