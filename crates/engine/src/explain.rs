//! A query's plan in words and, once it has run, what each part of it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use promql::Span;
use request::Tally;

mod words;

use crate::engine::Settings;
use crate::exec::begins_ahead;
use crate::plan::{Id, Op, Plan, Rewrite, Source};

/// The parts of a query in the order in which they run, each after those it reads.
#[derive(Debug, Default)]
pub struct Explanation {
    /// A part that several others read stands here once.
    pub nodes: Vec<Explained>,
    /// The part that gives the answer; `None` where nothing has to be done at all.
    pub root: Option<usize>,
    /// What was done to the plan to save work, in the order of [`Rewrite::ALL`].
    pub rewrites: Vec<Rewrite>,
    /// Where each node of the plan, and the selector fused into it, stand in `nodes`.
    places: Vec<(Option<usize>, Option<usize>)>,
}

/// One part of a query.
#[derive(Debug)]
pub struct Explained {
    /// Which of a handful of kinds: `select`, `aggregate`, `join`, ….
    pub kind: &'static str,
    /// What it does, in words close to PromQL.
    pub name: String,
    /// Where in the query it comes from.
    pub span: Span,
    /// How many steps it gives values for.
    pub steps: usize,
    /// What it reads: places in [`Explanation::nodes`], all before its own.
    pub inputs: Vec<usize>,
    /// What it took itself, inputs not included; the stores of a selector are its parts. Nothing before it ran.
    pub tally: Arc<Tally>,
    given: AtomicU64,
    held: AtomicU64,
}

impl Explained {
    /// How many series it gave.
    #[must_use]
    pub fn series_given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// How many values the query held when it was done.
    #[must_use]
    pub fn values_held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn done(&self, given: usize, held: usize) {
        self.given.store(given as u64, Ordering::Relaxed);
        self.held.store(held as u64, Ordering::Relaxed);
    }
}

impl Explanation {
    pub(crate) fn of(plan: &Plan, settings: &Settings) -> Self {
        let ahead = begins_ahead(plan, settings);
        let applied = |rewrite: &Rewrite| plan.applied.has(*rewrite) || (ahead && *rewrite == Rewrite::Ahead);
        let rewrites = Rewrite::ALL.into_iter().filter(applied).collect();
        let mut explanation = Self { rewrites, places: Vec::with_capacity(plan.nodes.len()), ..Self::default() };
        for node in &plan.nodes {
            let places = explanation.push(node);
            explanation.places.push(places);
        }
        explanation.root = explanation.place(plan.root);
        explanation
    }

    /// The part that node `id` of the plan is.
    pub(crate) fn node(&self, id: Id) -> Option<&Explained> {
        self.nodes.get(self.place(id)?)
    }

    /// The selector that node `id` reads by itself: what it is, or what is fused into it.
    pub(crate) fn scan(&self, id: Id) -> Option<&Explained> {
        self.nodes.get(self.places.get(id)?.1?)
    }

    fn place(&self, id: Id) -> Option<usize> {
        self.places.get(id)?.0
    }

    fn push(&mut self, node: &crate::plan::Node) -> (Option<usize>, Option<usize>) {
        if matches!(node.op, Op::Fused) {
            return (None, None);
        }
        let (kind, name) = words::of(&node.op, &node.grid);
        let mut inputs: Vec<usize> = node.op.inputs().into_iter().filter_map(|id| self.place(id)).collect();
        let mut scan = None;
        let fused = match &node.op {
            Op::Aggregate(aggregate) => match &aggregate.source {
                Source::Scan(scan) => Some(&**scan),
                Source::Node(_) => None,
            },
            Op::Aggregates(aggregates) => Some(&*aggregates.scan),
            Op::Info(info) => Some(&info.scan),
            _ => None,
        };
        if let Some(fused) = fused {
            let reads = fused.inputs().into_iter().filter_map(|id| self.place(id)).collect();
            let name = words::selection(fused);
            scan = Some(self.add("select", name, fused.span, fused.shape.grid.len(), reads));
            inputs.extend(scan);
        }
        let place = self.add(kind, name, node.span, node.grid.len(), inputs);
        if matches!(node.op, Op::Scan(_) | Op::Samples(_)) {
            scan = Some(place);
        }
        (Some(place), scan)
    }

    fn add(&mut self, kind: &'static str, name: String, span: Span, steps: usize, inputs: Vec<usize>) -> usize {
        let (given, held) = (AtomicU64::new(0), AtomicU64::new(0));
        self.nodes.push(Explained { kind, name, span, steps, inputs, tally: Arc::default(), given, held });
        self.nodes.len() - 1
    }
}

#[cfg(test)]
mod tests;
