//! Selectors that are begun before their turn, so that storage works on several at once. Each gives its first
//! rows ahead, and not more; what comes of it does not depend on when it was begun.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use promql::ast::AggregateOp;
use request::Context;

use super::Run;
use super::group::KeyMaker;
use super::scan::{Morsel, Wants, Work};
use crate::Error;
use crate::engine::Settings;
use crate::plan::{Id, Op, Plan, Rewrite, Scan, Source};

/// How many selectors are begun before their turn.
const AHEAD_MAX: usize = 3;
/// How far to look for them.
const NODES_MAX: usize = 64;

/// A selector that is being read.
pub(super) struct Started {
    pub(super) cx: Context,
    pub(super) work: Arc<Work>,
    jobs: BoxStream<'static, Result<Morsel, Error>>,
    /// What came before its turn; `None` at the end.
    first: Option<Option<Result<Morsel, Error>>>,
}

impl Started {
    pub(super) fn new(cx: Context, jobs: BoxStream<'static, Result<Morsel, Error>>, work: Arc<Work>) -> Self {
        Self { cx, work, jobs, first: None }
    }

    fn poll_first(&mut self, task: &mut std::task::Context<'_>) {
        if self.first.is_none()
            && let Poll::Ready(first) = Pin::new(&mut self.jobs).poll_next(task)
        {
            self.first = Some(first);
        }
    }
}

/// The selector that a node reads as series come or as a whole, and what it needs of each series.
pub(super) fn leaf<'a>(op: &'a Op, settings: &Settings) -> Option<(&'a Scan, Wants)> {
    use AggregateOp::{BottomK, CountValues, LimitK, LimitRatio, Quantile, TopK};
    let whole = Wants { heads: true, keys: Vec::new() };
    match op {
        Op::Scan(scan) => Some((scan, whole)),
        Op::Aggregate(aggregate) => match (&aggregate.source, aggregate.op) {
            (Source::Node(_), _) | (_, TopK | BottomK | LimitK | LimitRatio) => None,
            (Source::Scan(scan), Quantile | CountValues) => Some((scan, whole)),
            (Source::Scan(scan), _) => Some((scan, grouped(scan, [&aggregate.grouping], settings))),
        },
        _ => None,
    }
}

/// Whether a selector of this plan is begun before its turn.
pub(crate) fn begins_ahead(plan: &Plan, settings: &Settings) -> bool {
    let nodes = plan.nodes.iter().enumerate().filter(|(_, node)| !node.grid.is_empty());
    let mut leaves = nodes.filter_map(|(id, node)| Some((id, leaf(&node.op, settings)?.0)));
    let Some((first, _)) = leaves.next() else { return false };
    let known = |scan: &Scan| scan.inputs().iter().all(|&input| input < first);
    settings.rewrites.has(Rewrite::Ahead) && leaves.any(|(_, scan)| known(scan))
}

/// What aggregations by these groupings need.
pub(super) fn grouped<'a>(
    scan: &Scan,
    groupings: impl IntoIterator<Item = &'a crate::plan::Grouping>,
    settings: &Settings,
) -> Wants {
    let stripped = scan.drops_name() && !settings.delayed_name_removal;
    let keys = groupings.into_iter().map(|grouping| KeyMaker::new(grouping.clone(), stripped)).collect();
    // Series might turn out to be the same without their names.
    Wants { heads: stripped && scan.name.is_none(), keys }
}

impl Run<'_> {
    /// Begins selectors behind node `id` whose arguments are known.
    pub(super) fn start_ahead(&mut self, id: Id) -> Result<(), Error> {
        if !self.settings.rewrites.has(Rewrite::Ahead) {
            return Ok(());
        }
        for next in id + 1..self.nodes.len().min(id + NODES_MAX) {
            if self.started.len() >= AHEAD_MAX {
                break;
            }
            let Some(node) = self.nodes[next].as_ref().filter(|node| !node.grid.is_empty()) else { continue };
            let Some((scan, wants)) = leaf(&node.op, self.settings) else { continue };
            let known = scan.inputs().iter().all(|&input| input < self.slots.len());
            if known && !self.started.contains_key(&next) {
                let scan = scan.clone();
                let started = self.start(next, scan, wants)?;
                self.started.insert(next, started);
            }
        }
        Ok(())
    }

    /// The next rows of `current`, while those that were begun ahead come to their first.
    pub(super) async fn next_rows(&mut self, current: &mut Started) -> Option<Result<Morsel, Error>> {
        if let Some(first) = current.first.take() {
            return first;
        }
        poll_fn(|task| {
            let next = current.jobs.poll_next_unpin(task);
            if next.is_pending() {
                self.started.values_mut().for_each(|started| started.poll_first(task));
            }
            next
        })
        .await
    }
}
