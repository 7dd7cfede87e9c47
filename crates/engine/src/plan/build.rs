//! From the syntax tree to the plan, bottom-up in one pass over the arena.

mod calls;
mod context;
mod info;

use std::sync::Arc;

use promql::ast::{self, Ast, BinaryOp, Kind, NodeId, UnaryOp};
use promql::{Span, ValueType};

use super::{Aggregate, Grouping, Id, Join, Map, Node, Op, Plan, Rewrite, Rewrites, ScalarOp, Scan, Source};
use crate::engine::{Kind as Asked, Settings};
use crate::rollup::{Edges, Rollup, Shape};
use crate::{Error, Grid, SelectGrouping};

use context::Context;

/// Plans the evaluation of `ast` at the steps of `grid`.
pub(super) fn build(ast: &Ast, grid: Grid, asked: Asked, settings: &Settings) -> Result<Plan, Error> {
    // To duration expressions the step of an instant query is 0.
    let query = Grid { step_ms: if asked == Asked::Instant { 0 } else { grid.step_ms }, ..grid };
    let contexts = context::resolve(ast, grid, &query, settings)?;
    let mut builder = Builder {
        ast,
        grid,
        query,
        settings,
        contexts,
        nodes: Vec::with_capacity(ast.nodes().len()),
        built: vec![None; ast.nodes().len()],
    };
    // Ids ascend from children to parents.
    let mut order: Vec<NodeId> = ast.preorder(ast.root()).collect();
    order.sort_unstable();
    for id in order {
        builder.build_node(id)?;
    }
    let root = match builder.built[ast.root().index()] {
        Some(Built::Node(id)) => id,
        Some(Built::Range(range)) => builder.range_result(range, ast.root())?,
        None => return Err(Error::BadQuery("the expression cannot be evaluated".to_owned())),
    };
    Ok(Plan { nodes: builder.nodes, root, applied: Rewrites::none() })
}

/// What became of a node of the syntax tree.
#[derive(Clone, Copy, Debug)]
enum Built {
    Node(Id),
    /// Not a value of its own: the function above turns it into one.
    Range(Range),
}

#[derive(Clone, Copy, Debug)]
enum Range {
    Selector { selector: NodeId, range_ms: i64 },
    Subquery { input: Id, grid: Grid, range_ms: i64, offset_ms: i64, at_ms: Option<i64> },
}

struct Builder<'a> {
    ast: &'a Ast,
    grid: Grid,
    /// The same; with step 0 for an instant query.
    query: Grid,
    settings: &'a Settings,
    contexts: Vec<Option<Context>>,
    nodes: Vec<Node>,
    built: Vec<Option<Built>>,
}

impl<'a> Builder<'a> {
    fn build_node(&mut self, id: NodeId) -> Result<(), Error> {
        let Some(context) = self.contexts[id.index()] else { return Ok(()) };
        let node = self.ast.node(id);
        let (grid, span) = (context.grid, node.span);
        let mut built = match &node.kind {
            // Part of what stands above it.
            Kind::Duration(_) => return Ok(()),
            Kind::Vector(_) if context.in_range => return Ok(()),
            Kind::Number(number) => Built::Node(self.push(Op::Number(number.value), grid, span)),
            Kind::String(text) => Built::Node(self.push(Op::Text(text.clone()), grid, span)),
            Kind::Vector(selector) => {
                let rollup = if selector.smoothed { Rollup::Smoothed } else { Rollup::Instant };
                let mut scan = self.scan(selector, rollup, self.settings.lookback_ms, grid, span)?;
                scan.range_ms = 0;
                scan.statistics = context.statistics;
                Built::Node(self.push(Op::Scan(Box::new(scan)), grid, span))
            }
            Kind::Matrix(matrix) => {
                let range_ms = self.duration(matrix.range_ms, matrix.range_expr, false)?;
                Built::Range(Range::Selector { selector: matrix.selector, range_ms })
            }
            Kind::Subquery(subquery) => self.subquery(subquery)?,
            Kind::Paren(inner) => self.of(*inner)?,
            Kind::Unary(unary) => self.unary(unary, grid, span)?,
            Kind::Binary(binary) => self.binary(binary, grid, span)?,
            Kind::Aggregate(aggregate) => self.aggregate(aggregate, grid, span)?,
            Kind::Call(call) => Built::Node(self.call(call, context.invariant, grid, span)?),
        };
        if let (Built::Node(single), Some(outer)) = (built, context.repeat) {
            built = Built::Node(self.push(Op::Repeat(single), outer, span));
        }
        self.built[id.index()] = Some(built);
        Ok(())
    }

    fn push(&mut self, op: Op, grid: Grid, span: Span) -> Id {
        self.nodes.push(Node { op, grid, span, times: 1 });
        self.nodes.len() - 1
    }

    fn of(&self, id: NodeId) -> Result<Built, Error> {
        self.built[id.index()].ok_or_else(|| Error::BadQuery("an operand cannot be evaluated".to_owned()))
    }

    /// The plan node of an operand that is not a range.
    fn node(&self, id: NodeId) -> Result<Id, Error> {
        match self.of(id)? {
            Built::Node(id) => Ok(id),
            Built::Range(_) => Err(Error::BadQuery("a range vector stands where it cannot be evaluated".to_owned())),
        }
    }

    fn duration(&self, ms: i64, expr: Option<NodeId>, may_be_negative: bool) -> Result<i64, Error> {
        super::duration::resolve(self.ast, &self.query, ms, expr, may_be_negative)
    }

    fn scan(
        &self,
        selector: &ast::VectorSelector,
        rollup: Rollup,
        window_ms: i64,
        grid: Grid,
        span: Span,
    ) -> Result<Scan, Error> {
        let edges = match (selector.anchored, selector.smoothed) {
            (true, _) => Edges::Anchored,
            (_, true) => Edges::Smoothed,
            _ => Edges::Open,
        };
        let shape = Shape {
            grid,
            window_ms,
            offset_ms: self.duration(selector.modifiers.offset_ms, selector.modifiers.offset_expr, true)?,
            at_ms: context::pinned(selector.modifiers.at, &self.query),
            edges,
            lookback_ms: self.settings.lookback_ms,
        };
        Ok(Scan {
            matchers: selector.matchers.clone(),
            shape,
            rollup,
            params: Vec::new(),
            maps: Vec::new(),
            name: selector.metric_name().map(str::to_owned),
            func: String::new(),
            range_ms: window_ms,
            grouping: None,
            statistics: false,
            span,
        })
    }

    fn subquery(&mut self, subquery: &ast::Subquery) -> Result<Built, Error> {
        let inner = self.contexts[subquery.expr.index()].map(|c| c.repeat.unwrap_or(c.grid));
        let grid = inner.ok_or_else(|| Error::BadQuery("a subquery without steps".to_owned()))?;
        Ok(Built::Range(Range::Subquery {
            input: self.node(subquery.expr)?,
            grid,
            range_ms: self.duration(subquery.range_ms, subquery.range_expr, false)?,
            offset_ms: self.duration(subquery.modifiers.offset_ms, subquery.modifiers.offset_expr, true)?,
            at_ms: context::pinned(subquery.modifiers.at, &self.query),
        }))
    }

    /// A range as the result of the query: its samples.
    fn range_result(&mut self, range: Range, root: NodeId) -> Result<Id, Error> {
        let (grid, span) = (self.grid, self.ast.span(root));
        match range {
            Range::Selector { selector, range_ms } => {
                let Kind::Vector(vector) = self.ast.kind(selector) else {
                    return Err(Error::BadQuery("a range over something that is no selector".to_owned()));
                };
                let scan = self.scan(vector, Rollup::Last, range_ms, grid, span)?;
                Ok(self.push(Op::Samples(Box::new(scan)), grid, span))
            }
            Range::Subquery { input, grid, .. } => Ok(self.push(Op::Steps(input), grid, span)),
        }
    }

    fn unary(&mut self, unary: &ast::Unary, grid: Grid, span: Span) -> Result<Built, Error> {
        let input = self.node(unary.expr)?;
        if unary.op == UnaryOp::Plus {
            return Ok(Built::Node(input));
        }
        if self.ast.value_type(unary.expr) == ValueType::Scalar {
            let minus = self.push(Op::Number(-1.0), grid, span);
            return Ok(Built::Node(self.push(Op::Scalars(ScalarOp::Binary(BinaryOp::Mul), minus, input), grid, span)));
        }
        Ok(Built::Node(self.map(input, Map::Negate, grid, span)))
    }

    fn binary(&mut self, binary: &ast::Binary, grid: Grid, span: Span) -> Result<Built, Error> {
        let (lhs, rhs) = (self.node(binary.lhs)?, self.node(binary.rhs)?);
        let is_scalar = |id| self.ast.value_type(id) == ValueType::Scalar;
        let (op, return_bool) = (binary.op, binary.return_bool);
        let id = match (is_scalar(binary.lhs), is_scalar(binary.rhs)) {
            (true, true) => self.push(Op::Scalars(ScalarOp::Binary(op), lhs, rhs), grid, span),
            (false, true) => {
                let map = Map::Arithmetic { op, scalar: rhs, scalar_first: false, return_bool, span };
                self.map(lhs, map, grid, span)
            }
            (true, false) => {
                let map = Map::Arithmetic { op, scalar: lhs, scalar_first: true, return_bool, span };
                self.map(rhs, map, grid, span)
            }
            (false, false) => {
                let matching = binary.matching.clone().unwrap_or_default();
                self.push(Op::Join(Box::new(Join { op, lhs, rhs, matching, return_bool })), grid, span)
            }
        };
        Ok(Built::Node(id))
    }

    /// Puts a map on top of `input`; into the scan, where that is one and no series can meet another of
    /// the same labels by losing its name: those would have to be found before the map leaves any out.
    fn map(&mut self, input: Id, map: Map, grid: Grid, span: Span) -> Id {
        let delayed = self.settings.delayed_name_removal;
        if self.settings.rewrites.has(Rewrite::Fuse)
            && let Op::Scan(scan) = &mut self.nodes[input].op
            && (delayed || scan.name.is_some() || !(map.drops_name() || scan.drops_name()))
        {
            scan.maps.push(map);
            let op = std::mem::replace(&mut self.nodes[input].op, Op::Fused);
            return self.push(op, grid, span);
        }
        self.push(Op::Map(input, map), grid, span)
    }

    /// `input` as the source of an aggregation: the scan itself, where it is one.
    fn source(&mut self, input: Id, grouping: Option<&Grouping>) -> Source {
        match std::mem::replace(&mut self.nodes[input].op, Op::Fused) {
            Op::Scan(mut scan) if self.settings.rewrites.has(Rewrite::Fuse) => {
                scan.grouping =
                    grouping.map(|g| SelectGrouping { by: !g.without, labels: g.labels.iter().cloned().collect() });
                Source::Scan(scan)
            }
            op => {
                self.nodes[input].op = op;
                Source::Node(input)
            }
        }
    }

    fn aggregate(&mut self, node: &ast::Aggregate, grid: Grid, span: Span) -> Result<Built, Error> {
        let mut labels = node.grouping.clone();
        let (mut label, mut param, mut param_span) = (String::new(), None, span);
        if let Some(id) = node.param {
            param_span = self.ast.span(self.ast.unwrap_parens(id));
            if node.op == ast::AggregateOp::CountValues {
                let name = self.bytes(id)?;
                label = label_name(name)
                    .ok_or_else(|| Error::Execution(format!("invalid label name {}", model::quote::go_quote(name))))?;
                if !node.without {
                    labels.push(label.clone());
                }
            } else {
                param = Some(self.node(id)?);
            }
        }
        labels.sort_unstable();
        labels.dedup();
        let grouping = Grouping { without: node.without, labels: Arc::from(labels) };
        let input = self.node(node.expr)?;
        let source = self.source(input, Some(&grouping));
        let input_span = self.ast.span(self.ast.unwrap_parens(node.expr));
        let aggregate = Aggregate { op: node.op, source, grouping, param, label, param_span, input_span };
        Ok(Built::Node(self.push(Op::Aggregate(Box::new(aggregate)), grid, span)))
    }

    /// The value of a string literal; what is not UTF-8 is replaced.
    fn text(&self, id: NodeId) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.bytes(id)?).into_owned())
    }

    /// A string literal that has to name a label; else an error that begins with `wrong`.
    fn label(&self, id: NodeId, wrong: &str) -> Result<String, Error> {
        let name = self.bytes(id)?;
        label_name(name).ok_or_else(|| Error::Execution(format!("{wrong}: {}", String::from_utf8_lossy(name))))
    }

    fn bytes(&self, id: NodeId) -> Result<&'a [u8], Error> {
        match self.ast.kind(self.ast.unwrap_parens(id)) {
            Kind::String(bytes) => Ok(bytes),
            _ => Err(Error::BadQuery("a string literal was expected".to_owned())),
        }
    }
}

/// The name, if a label can have it.
fn label_name(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok().filter(|name| !name.is_empty())
}
