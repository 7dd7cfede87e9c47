//! What is to be done: the syntax tree with times resolved, as a list in the order of execution.
//!
//! Each node comes after those it reads, so running a plan is a loop without recursion. Rewrites made
//! on the way ([`Rewrite`]), each in a place of its own: parts that do not depend on the step are evaluated
//! once ([`invariant`]); element-wise functions and aggregations are fused with the selector below them, so
//! that its series never exist side by side ([`build`]); scalars between constants become constants
//! ([`fold`]); matchers go over joins ([`propagate`]); the same part, or the same read, serves all that need it ([`share`]).

mod applied;
mod build;
mod duration;
mod fold;
mod inputs;
mod invariant;
mod propagate;
mod rewrites;
mod share;

pub use rewrites::{Rewrite, Rewrites};

use std::sync::Arc;

use model::regex::Regex;
use model::{Labels, Matcher};
use promql::ast::{AggregateOp, BinaryOp, VectorMatching};
use promql::{Ast, FunctionId, Span};

use crate::engine::{Kind, Settings};
use crate::rollup::{Rollup, Shape};
use crate::{Error, Grid, SelectGrouping};

/// Plans the evaluation of `ast` at the steps of `grid`.
///
/// # Errors
/// [`Error::BadQuery`] and others for what cannot be evaluated whatever the data are.
pub(crate) fn build(ast: &Ast, grid: Grid, asked: Kind, settings: &Settings) -> Result<Plan, Error> {
    let mut plan = build::build(ast, grid, asked, settings)?;
    plan.applied = applied::while_building(&plan.nodes, settings.rewrites);
    if settings.rewrites.has(Rewrite::Propagate) && propagate::propagate(&mut plan.nodes) {
        plan.applied = plan.applied.with(Rewrite::Propagate);
    }
    if settings.rewrites.has(Rewrite::Fold) {
        plan = fold::fold(plan);
    }
    if settings.rewrites.has(Rewrite::Share) {
        plan = share::share(plan);
        plan.applied = applied::by_sharing(plan.applied, &plan.nodes);
    }
    Ok(plan)
}

/// The place of a node in [`Plan::nodes`].
pub(crate) type Id = usize;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: Id,
    /// The rewrites that have changed something.
    pub(crate) applied: Rewrites,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    /// The steps it gives values for.
    pub(crate) grid: Grid,
    pub(crate) span: Span,
    /// How often the query has it: what is to be noted counts as often.
    pub(crate) times: u64,
}

/// Where an aggregation gets its series from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Straight from the selector, never all at once.
    Scan(Box<Scan>),
    Node(Id),
}

#[derive(Debug)]
pub(crate) enum Op {
    /// Became part of the node that reads it.
    Fused,
    Number(f64),
    Text(Box<[u8]>),
    /// The step's own time in seconds.
    Time,
    Scan(Box<Scan>),
    /// The samples themselves of one window.
    Samples(Box<Scan>),
    /// The values of a subquery as samples.
    Steps(Id),
    /// A range function over a subquery.
    Subquery(Box<SubqueryRollup>),
    /// A value of a single step for all steps.
    Repeat(Id),
    Map(Id, Map),
    Aggregate(Box<Aggregate>),
    /// Several aggregations of one selector; each is a part of it.
    Aggregates(Box<Aggregates>),
    /// One of several.
    Part(Id, usize),
    /// Between two scalars.
    Scalars(ScalarOp, Id, Id),
    Join(Box<Join>),
    /// `scalar(v)`.
    ToScalar(Id),
    /// `vector(s)`.
    ToVector(Id),
    Buckets(Box<Buckets>),
    LabelReplace(Box<LabelReplace>),
    LabelJoin(Box<LabelJoin>),
    Info(Box<Info>),
    Sort(Box<Sort>),
    /// 1 where the aggregation below, which has at most one series, has nothing.
    Absent(Id, Labels),
    /// A vector without series.
    Nothing,
}

/// A selector with the function right above it and the element-wise functions above that.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shape: Shape,
    pub(crate) rollup: Rollup,
    /// Scalar arguments of the rollup.
    pub(crate) params: Vec<Id>,
    pub(crate) maps: Vec<Map>,
    /// The name that every series has, where the selector says so.
    pub(crate) name: Option<String>,
    /// For the source: the function, the range it reads, the grouping above.
    pub(crate) func: String,
    pub(crate) range_ms: i64,
    pub(crate) grouping: Option<SelectGrouping>,
    /// Of native histograms only count and sum are looked at.
    pub(crate) statistics: bool,
    pub(crate) span: Span,
}

impl Scan {
    /// Whether the result is no longer the metric that was selected.
    pub(crate) fn drops_name(&self) -> bool {
        // What `info` reads is told apart by name.
        self.func != INFO && (!self.rollup.keeps_name() || self.maps.iter().any(Map::drops_name))
    }
}

#[derive(Debug)]
pub(crate) struct SubqueryRollup {
    pub(crate) input: Id,
    /// The steps of the input.
    pub(crate) grid: Grid,
    pub(crate) shape: Shape,
    pub(crate) rollup: Rollup,
    pub(crate) params: Vec<Id>,
}

/// A function of one value at a time.
#[derive(Clone, Debug)]
pub(crate) enum Map {
    /// Plain mathematics, by function.
    Math(FunctionId),
    /// A part of the date.
    Date(FunctionId),
    Negate,
    /// `value op scalar`, or the other way round.
    Arithmetic {
        op: BinaryOp,
        scalar: Id,
        scalar_first: bool,
        return_bool: bool,
        span: Span,
    },
    Clamp {
        min: Option<Id>,
        max: Option<Id>,
    },
    Round {
        to: Option<Id>,
    },
}

impl Map {
    pub(crate) fn drops_name(&self) -> bool {
        match self {
            Self::Arithmetic { op, return_bool, .. } => *return_bool || changes_metric(*op),
            _ => true,
        }
    }
}

/// Whether the result of the operator is no longer the metric on its left.
pub(crate) fn changes_metric(op: BinaryOp) -> bool {
    use BinaryOp::{Add, Atan2, Div, Mod, Mul, Pow, Sub};
    matches!(op, Add | Sub | Mul | Div | Mod | Pow | Atan2)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarOp {
    Binary(BinaryOp),
    MaxOf,
    MinOf,
}

#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) source: Source,
    pub(crate) grouping: Grouping,
    pub(crate) param: Option<Id>,
    /// The label of `count_values`.
    pub(crate) label: String,
    pub(crate) param_span: Span,
    pub(crate) input_span: Span,
}

/// One selector, read once for several aggregations that take series as they come.
#[derive(Debug)]
pub(crate) struct Aggregates {
    pub(crate) scan: Box<Scan>,
    pub(crate) parts: Vec<Part>,
    /// How often the query has the selector.
    pub(crate) scan_times: u64,
}

#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) op: AggregateOp,
    pub(crate) grouping: Grouping,
    pub(crate) input_span: Span,
    pub(crate) times: u64,
}

/// `by` or `without`, the labels sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grouping {
    pub(crate) without: bool,
    pub(crate) labels: Arc<[String]>,
}

#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) op: BinaryOp,
    pub(crate) lhs: Id,
    pub(crate) rhs: Id,
    pub(crate) matching: VectorMatching,
    pub(crate) return_bool: bool,
}

/// `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`.
#[derive(Debug)]
pub(crate) struct Buckets {
    pub(crate) what: BucketFunction,
    pub(crate) input: Id,
    pub(crate) params: Vec<Id>,
    pub(crate) param_spans: Vec<Span>,
    pub(crate) input_span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum BucketFunction {
    Quantile,
    /// Several at once, told apart by this label.
    Quantiles(String),
    Fraction,
    /// Functions of native histograms only: no classic bucket gives anything.
    OfNative(FunctionId),
}

#[derive(Debug)]
pub(crate) struct LabelReplace {
    pub(crate) input: Id,
    pub(crate) target: String,
    pub(crate) replacement: String,
    pub(crate) source: String,
    pub(crate) regex: Regex,
}

#[derive(Debug)]
pub(crate) struct LabelJoin {
    pub(crate) input: Id,
    pub(crate) target: String,
    pub(crate) separator: String,
    pub(crate) sources: Vec<String>,
}

/// The function as sources are told, and as its scan is known by.
pub(crate) const INFO: &str = "info";

/// `info(v, {labels})`.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) input: Id,
    /// Reads the times of the info series' samples; the matchers are known when the input is.
    pub(crate) scan: Scan,
    /// The matchers of the second argument.
    pub(crate) labels: Vec<Matcher>,
}

#[derive(Debug)]
pub(crate) struct Sort {
    pub(crate) input: Id,
    pub(crate) descending: bool,
    /// By these labels instead of by value.
    pub(crate) labels: Option<Vec<String>>,
    /// There are several steps, and no order among series then.
    pub(crate) is_range: bool,
}

#[cfg(test)]
mod tests;
