//! Which steps each part of the query is evaluated at, top-down.

use promql::FunctionId;
use promql::ast::{Ast, At, BinaryOp, Kind, NodeId, Subquery};

use super::super::{Rewrite, duration, invariant};
use crate::engine::Settings;
use crate::{Error, Grid};

/// How a node of the syntax tree is evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) grid: Grid,
    /// The steps that its single value is repeated for.
    pub(super) repeat: Option<Grid>,
    /// It is the selector of a range.
    pub(super) in_range: bool,
    /// It gives the same at every step, whether it is evaluated once or not.
    pub(super) invariant: bool,
    /// Of native histograms only count and sum are looked at above.
    pub(super) statistics: bool,
    /// Something above needs whole histograms, or breaks the row of samples.
    whole: bool,
}

impl Context {
    fn new(grid: Grid, once: bool) -> Self {
        if once && !grid.is_empty() {
            let single = Grid { end_ms: grid.start_ms, ..grid };
            let repeat = (grid.len() > 1).then_some(grid);
            Self { grid: single, repeat, in_range: false, invariant: false, statistics: false, whole: false }
        } else {
            Self { grid, repeat: None, in_range: false, invariant: false, statistics: false, whole: false }
        }
    }

    /// With what nodes below one of this context inherit.
    fn below(self, (statistics, whole): (bool, bool)) -> Self {
        Self { statistics: statistics && !whole, whole, ..self }
    }
}

/// The context of every node that the root reaches, by [`NodeId::index`].
pub(super) fn resolve(ast: &Ast, grid: Grid, query: &Grid, settings: &Settings) -> Result<Vec<Option<Context>>, Error> {
    let known = invariant::analyse(ast);
    let once = settings.rewrites.has(Rewrite::Once);
    let mut contexts: Vec<Option<Context>> = vec![None; ast.nodes().len()];
    contexts[ast.root().index()] = Some(Context::new(grid, once && known[ast.root().index()].worth));
    for id in ast.preorder(ast.root()) {
        let Some(context) = contexts[id.index()] else { continue };
        let needs = needs(ast.kind(id), context);
        let mut give =
            |id: NodeId, grid: Grid, once: bool| contexts[id.index()] = Some(Context::new(grid, once).below(needs));
        match ast.kind(id) {
            Kind::Matrix(matrix) => {
                contexts[matrix.selector.index()] =
                    Some(Context { in_range: true, ..Context::new(context.grid, false) }.below(needs));
            }
            Kind::Subquery(subquery) => {
                let grid = subquery_grid(ast, query, context.grid, subquery, settings)?;
                give(subquery.expr, grid, once && known[subquery.expr.index()].invariant);
            }
            // What is invariant as a whole was made so above; else its parts may be.
            Kind::Call(_) | Kind::Binary(_) => {
                let whole = known[id.index()].invariant;
                for child in ast.children(id) {
                    give(child, context.grid, once && !whole && known[child.index()].worth);
                }
            }
            // What gives the same at every step takes its parameter from the first one, even where that changes.
            Kind::Aggregate(aggregate) if known[id.index()].invariant => {
                for child in ast.children(id) {
                    give(child, context.grid, Some(child) == aggregate.param);
                }
            }
            _ => {
                for child in ast.children(id) {
                    give(child, context.grid, false);
                }
            }
        }
    }
    for (context, known) in contexts.iter_mut().zip(&known) {
        if let Some(context) = context {
            context.invariant = known.invariant;
        }
    }
    Ok(contexts)
}

/// Whether count and sum are all that the nodes below are for, and whether whole histograms are wanted of them.
fn needs(kind: &Kind, above: Context) -> (bool, bool) {
    use FunctionId::{
        HistogramAvg, HistogramCount, HistogramFraction, HistogramQuantile, HistogramQuantiles, HistogramSum,
    };
    let (mut statistics, mut whole) = (above.statistics, above.whole);
    match kind {
        Kind::Call(call) => match call.func.id {
            HistogramCount | HistogramSum | HistogramAvg => statistics = true,
            HistogramQuantile | HistogramQuantiles | HistogramFraction => whole = true,
            _ => {}
        },
        Kind::Subquery(_) => whole = true,
        Kind::Binary(binary) => whole |= matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower),
        _ => {}
    }
    (statistics, whole)
}

/// The time an `@` stands for.
pub(super) fn pinned(at: Option<At>, query: &Grid) -> Option<i64> {
    at.map(|at| match at {
        At::Timestamp(ms) => ms,
        At::Start => query.start_ms,
        At::End => query.end_ms,
    })
}

/// The steps of a subquery: multiples of its own step that lie in the windows of `outer`, the left
/// edge excluded.
fn subquery_grid(
    ast: &Ast,
    query: &Grid,
    outer: Grid,
    subquery: &Subquery,
    settings: &Settings,
) -> Result<Grid, Error> {
    let resolve = |ms, expr, negative| duration::resolve(ast, query, ms, expr, negative);
    let range = resolve(subquery.range_ms, subquery.range_expr, false)?;
    let offset = resolve(subquery.modifiers.offset_ms, subquery.modifiers.offset_expr, true)?;
    let step = match resolve(subquery.step_ms, subquery.step_expr, false)? {
        0 => settings.subquery_step_ms,
        step => step,
    }
    .max(1);
    let last = outer.at(outer.len().saturating_sub(1));
    let (first, last) = pinned(subquery.modifiers.at, query).map_or((outer.start_ms, last), |at| (at, at));
    let edge = first.saturating_sub(offset).saturating_sub(range);
    let mut start = step * (edge / step);
    if start <= edge {
        start = start.saturating_add(step);
    }
    let grid = Grid { start_ms: start, end_ms: last.saturating_sub(offset), step_ms: step };
    if grid.len() as u64 > settings.max_samples {
        return Err(Error::Samples(format!("a subquery of {} steps: {}", grid.len(), crate::engine::TOO_MANY_SAMPLES)));
    }
    Ok(grid)
}
