//! The syntax tree: an arena of nodes that refer to their children by index.

mod kinds;
mod walk;

pub use kinds::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Duration, DurationOp, Fill, MatrixSelector,
    Number, Subquery, TimeModifiers, Unary, UnaryOp, VectorMatching, VectorSelector,
};
pub use walk::{Children, Preorder};

use std::fmt;

/// Bytes `start..end` of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    #[must_use]
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// From the start of `self` to the end of `last`.
    #[must_use]
    pub const fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }
}

/// Index of a node in its [`Ast`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The node at that place of [`Ast::nodes`].
    pub(crate) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place in [`Ast::nodes`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an expression evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    Scalar,
    Vector,
    Matrix,
    String,
}

impl ValueType {
    /// As in the API's `resultType`: `scalar`, `vector`, `matrix`, `string`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }

    /// As messages name it: `instant vector`, `range vector`.
    #[must_use]
    pub const fn documented(self) -> &'static str {
        match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One node: what it is and where it stands in the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub kind: Kind,
    pub span: Span,
}

/// Every kind of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Number(Number),
    /// A string literal's bytes: escapes may spell what is not UTF-8.
    String(Box<[u8]>),
    Vector(VectorSelector),
    Matrix(MatrixSelector),
    Subquery(Subquery),
    Call(Call),
    Aggregate(Aggregate),
    Binary(Binary),
    Unary(Unary),
    Paren(NodeId),
    /// Arithmetic on durations; only below a range, a subquery's range or step, or an offset.
    Duration(Duration),
}

/// A syntax tree. Children always have smaller ids than their parents, so one pass over [`Ast::nodes`]
/// visits bottom-up; nodes that no path from the root reaches may lie among them.
#[derive(Clone, Debug, PartialEq)]
pub struct Ast {
    nodes: Vec<Node>,
    types: Vec<ValueType>,
    root: NodeId,
}

impl Ast {
    /// A tree of one node; grow it with [`Ast::push`] and [`Ast::set_root`].
    #[must_use]
    pub fn new(kind: Kind, span: Span) -> Self {
        let mut ast = Self::with_capacity(1);
        ast.push(kind, span);
        ast
    }

    pub(crate) fn with_capacity(nodes: usize) -> Self {
        Self { nodes: Vec::with_capacity(nodes), types: Vec::with_capacity(nodes), root: NodeId(0) }
    }

    /// Adds a node whose children are in the tree already. The root stays what it was.
    ///
    /// # Panics
    /// Beyond 2³² nodes; a parsed text cannot have that many.
    pub fn push(&mut self, kind: Kind, span: Span) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        let value_type = self.type_of(&kind);
        self.nodes.push(Node { kind, span });
        self.types.push(value_type);
        id
    }

    pub fn set_root(&mut self, root: NodeId) {
        self.root = root;
    }

    #[must_use]
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// All nodes, children before parents.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    #[must_use]
    pub fn kind(&self, id: NodeId) -> &Kind {
        &self.nodes[id.index()].kind
    }

    /// For rewrites in place. They must keep children before parents and the node's type as it is.
    pub fn kind_mut(&mut self, id: NodeId) -> &mut Kind {
        &mut self.nodes[id.index()].kind
    }

    pub(crate) fn span_mut(&mut self, id: NodeId) -> &mut Span {
        &mut self.nodes[id.index()].span
    }

    #[must_use]
    pub fn span(&self, id: NodeId) -> Span {
        self.nodes[id.index()].span
    }

    /// What the expression evaluates to. Constant time.
    #[must_use]
    pub fn value_type(&self, id: NodeId) -> ValueType {
        self.types[id.index()]
    }

    /// The node below any parentheses around it.
    #[must_use]
    pub fn unwrap_parens(&self, mut id: NodeId) -> NodeId {
        while let Kind::Paren(inner) = self.kind(id) {
            id = *inner;
        }
        id
    }

    fn type_of(&self, kind: &Kind) -> ValueType {
        match kind {
            Kind::Number(_) | Kind::Duration(_) => ValueType::Scalar,
            Kind::String(_) => ValueType::String,
            Kind::Vector(_) | Kind::Aggregate(_) => ValueType::Vector,
            Kind::Matrix(_) | Kind::Subquery(_) => ValueType::Matrix,
            Kind::Call(call) => call.func.return_type,
            Kind::Unary(Unary { expr, .. }) | Kind::Paren(expr) => self.value_type(*expr),
            Kind::Binary(Binary { lhs, rhs, .. }) => match (self.value_type(*lhs), self.value_type(*rhs)) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
        }
    }
}
