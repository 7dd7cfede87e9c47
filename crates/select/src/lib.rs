//! The one [`Queryable`] over any [`Store`]: which samples to fetch for a selector, replica by replica,
//! and how they become one series.
//!
//! Place: L3, async but without a runtime, like the traits it joins.
//!
//! Replicas: Thanos' wire does not say which replica a chunk comes from. So a deduplicating `stable`
//! selection asks once for each tuple of replica labels that the store's extents name, each time with
//! those labels removed; every stream is then sorted by what is left, and the merge tags chunks with
//! their stream. Where no tuples are known, or for `penalty` and `chain`, one request is made and
//! overlapping chunks are dealt to lanes, as Thanos does.
//!
//! Window: `stable` fetches whole cells of time where a series can have several replicas. `penalty` and
//! `chain` see exactly the selector's own samples, since their outcome depends on where they begin.

mod batch;
mod replicas;

use std::sync::Arc;

use block::spread::SpreadUse;
use engine::{Encoded, Error, Queryable, Select};
use futures::stream::{BoxStream, StreamExt};
use model::TimeRange;
use request::{Context, Took};
use store::dedup::{Func, widen_to_cells};
use store::merge::{MergeOptions, merge_streams};
use store::{Frame, Grouping, PartialResponse, QueryHints, SeriesRequest, Store};

use batch::{Batch, Mode, Window};

/// How selections are made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether replicas become one series.
    pub dedup: bool,
    /// The labels that tell replicas apart; without any, `dedup` does nothing.
    pub replica_labels: Vec<String>,
    pub func: Func,
    pub partial_response: PartialResponse,
    /// The coarsest resolution that may serve, in milliseconds; 0 is raw only. Raw data is read whatever
    /// it is until the planner knows which functions a resolution can answer.
    pub max_source_resolution_ms: i64,
}

/// Selects series of a store.
#[derive(Clone, Debug)]
pub struct Selector {
    store: Arc<dyn Store>,
    options: Arc<Options>,
}

impl Selector {
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: Options) -> Self {
        Self { store, options: Arc::new(options) }
    }

    fn deduplicates(&self) -> bool {
        self.options.dedup && !self.options.replica_labels.is_empty()
    }

    /// The requests to make, one for each known replica, and what to do with their answers.
    fn plan(&self, select: &Select) -> (Vec<SeriesRequest>, Mode) {
        let mut request = SeriesRequest::new(select.samples, select.matchers.clone());
        request.skip_chunks = select.skip_chunks;
        request.partial_response = self.options.partial_response;
        request.hints = QueryHints {
            step_ms: select.grid.step_ms,
            func: select.func.clone(),
            range_ms: select.window_ms,
            grouping: select.grouping.as_ref().map(|g| Grouping { by: g.by, labels: g.labels.clone() }),
        };
        if !self.deduplicates() {
            return (vec![request], Mode::Plain);
        }
        request.without_replica_labels.clone_from(&self.options.replica_labels);
        match self.options.func {
            Func::Penalty => (vec![request], Mode::Penalty(select.samples)),
            Func::Chain => (vec![request], Mode::Plain),
            Func::Stable => self.plan_stable(request),
        }
    }

    fn plan_stable(&self, mut request: SeriesRequest) -> (Vec<SeriesRequest>, Mode) {
        let wide = widen_to_cells(request.range);
        let info = self.store.info();
        let tuples = replicas::tuples(&info, wide, &request.matchers, &self.options.replica_labels);
        if tuples.len() < 2 {
            return (vec![request], Mode::Stable(None));
        }
        let window = Window { fetched: wide, wanted: request.range };
        request.range = wide;
        let parts = replicas::partition(&tuples, &self.options.replica_labels).into_iter().enumerate();
        let requests = parts.map(|(replica, matchers)| {
            let mut request = request.clone();
            // Of the others only the number in each cell decides.
            request.spread = if replica == 0 { SpreadUse::All } else { SpreadUse::Counts };
            request.matchers.extend(matchers);
            request
        });
        (requests.collect(), Mode::Stable(Some(window)))
    }
}

impl Queryable for Selector {
    fn select(&self, cx: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>> {
        let (requests, mode) = self.plan(&select);
        let streams = requests.into_iter().map(|request| self.store.series(cx, request)).collect();
        let merged = merge_streams(streams, MergeOptions { tag_replicas: true, ..MergeOptions::default() });
        let (cx, partial, wanted) = (cx.clone(), self.options.partial_response, select.samples);
        let batches =
            merged.filter_map(move |frame| std::future::ready(take(&cx, frame, mode, partial, wanted).transpose()));
        // A selection ends with its first error.
        let ended = batches.scan(false, |failed, item| {
            let out = (!*failed).then(|| {
                *failed = item.is_err();
                item
            });
            std::future::ready(out)
        });
        ended.boxed()
    }
}

/// What a frame means for the query; `None` for frames that are noted only.
fn take(
    cx: &Context,
    frame: store::Result<Frame>,
    mode: Mode,
    partial: PartialResponse,
    wanted: TimeRange,
) -> Result<Option<Box<dyn Encoded>>, Error> {
    cx.check()?;
    match frame.map_err(error)? {
        Frame::Batch(batch) => {
            let (chunks, bytes) = (batch.chunk_count(), batch.payload_bytes());
            cx.stats().add_chunks(chunks);
            cx.stats().add_bytes(bytes);
            if let Some(tally) = cx.tally() {
                tally.add(Took { responses: 1, chunks, bytes, ..Took::default() });
            }
            for &resolution_ms in batch.lists.iter().flat_map(|list| &list.resolutions_ms) {
                cx.coverage().read_resolution(resolution_ms.into());
            }
            Ok(Some(Box::new(Batch::new(batch, mode))))
        }
        Frame::Missing(missing) if partial == PartialResponse::Abort => {
            Err(Error::Storage(format!("store {}: {}", missing.store, missing.cause)))
        }
        Frame::Missing(mut missing) => {
            // More may have been asked for than the query reads.
            let read = TimeRange::new(missing.min_time, missing.max_time).intersection(wanted);
            if !read.is_empty() {
                (missing.min_time, missing.max_time) = (read.min, read.max);
            }
            cx.coverage().add_missing(missing);
            Ok(None)
        }
        // Who fetched has counted it.
        Frame::Stats(_) => Ok(None),
    }
}

fn error(e: store::Error) -> Error {
    match e {
        store::Error::BadRequest(text) => Error::BadQuery(text),
        store::Error::Exhausted(text) => Error::Exhausted(text),
        store::Error::Unavailable(text) => Error::Storage(text),
        store::Error::Corrupt(e) => Error::Corrupt(e),
        store::Error::Interrupted(e) => Error::Interrupted(e),
    }
}

#[cfg(test)]
mod tests;
