use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use futures::stream::{self, BoxStream, StreamExt};
use hashbrown::HashMap;
use model::{Labels, Matcher, TimeRange};
use request::{Context, Missing};

use crate::endpoints::selected;
use crate::merge::{MergeOptions, merge_streams};
use crate::{
    Endpoints, Error, Extent, Frame, LabelsRequest, Names, PartialResponse, Result, SeriesRequest, Store, StoreInfo,
    StoreKind, counted,
};

mod adapt;
mod guard;

use adapt::adapt;
use guard::Guard;

/// How a [`Proxy`] asks.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// What it calls itself in its own [`StoreInfo`].
    pub name: String,
    /// A store that gives nothing for so long is taken for failed; zero waits for ever.
    pub response_timeout: Duration,
    /// So many stores are asked for labels at the same time.
    pub concurrency: usize,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self { name: "proxy".to_owned(), response_timeout: Duration::ZERO, concurrency: 32 }
    }
}

/// A store over other stores: asks those whose external labels and time overlap, side by side, and
/// merges what they give.
///
/// A store that fails becomes a [`Frame::Missing`] for each of its matching label sets, or, where the
/// request wants [`PartialResponse::Abort`], an error. Errors of the request itself (a bad request, a
/// limit, cancellation) always end it.
#[derive(Clone, Debug)]
pub struct Proxy {
    endpoints: Arc<Endpoints>,
    options: ProxyOptions,
    store_match: Arc<[Vec<Matcher>]>,
}

impl Proxy {
    #[must_use]
    pub fn new(endpoints: Arc<Endpoints>, options: ProxyOptions) -> Self {
        Self { endpoints, options, store_match: Arc::new([]) }
    }

    /// The same, restricted to stores for which one of the alternatives holds; each is a conjunction over
    /// the label `__address__` (the store's name).
    #[must_use]
    pub fn matching(&self, alternatives: Vec<Vec<Matcher>>) -> Self {
        Self { store_match: alternatives.into(), ..self.clone() }
    }

    /// The stores to ask, with what they say of themselves.
    fn targets(&self, range: TimeRange, matchers: &[Matcher], partial: PartialResponse) -> Result<Vec<Target>> {
        let all = self.endpoints.get();
        if all.is_empty() && partial == PartialResponse::Abort {
            return Err(Error::Unavailable("no stores are known, so no answer can be complete".to_owned()));
        }
        let target = |store: &Arc<dyn Store>| Target { store: store.clone(), info: store.info() };
        let wanted = |t: &Target| {
            // A store that says nothing of its contents may have anything.
            selected(&t.info, &self.store_match)
                && (t.info.extents.is_empty() || t.info.matching(range, matchers).next().is_some())
        };
        Ok(all.iter().map(target).filter(wanted).collect())
    }

    async fn ask_labels<Fut: Future<Output = Result<Names>> + Send>(
        &self,
        cx: &Context,
        request: &LabelsRequest,
        ask: impl Fn(Arc<dyn Store>, LabelsRequest) -> Fut,
    ) -> Result<Names> {
        let targets = self.targets(request.range, &request.matchers, request.partial_response)?;
        let timeout = self.options.response_timeout;
        let asked = targets.into_iter().map(|target| {
            let answer = ask(target.store.clone(), request.clone());
            let timer = (!timeout.is_zero()).then(|| cx.timer().sleep(timeout));
            async move {
                let Some(timer) = timer else { return (answer.await, target) };
                match select(Box::pin(answer), timer).await {
                    Either::Left((answer, _)) => (answer, target),
                    Either::Right(_) => (Err(timed_out(timeout)), target),
                }
            }
        });
        let asked: Vec<_> = asked.collect();
        let mut answers = stream::iter(asked).buffer_unordered(self.options.concurrency.max(1));
        let (mut names, mut missing, mut blocks) = (BTreeSet::new(), Vec::new(), Vec::new());
        while let Some((answer, target)) = answers.next().await {
            cx.check()?;
            match answer {
                Ok(answer) if answer.missing.is_empty() || request.partial_response == PartialResponse::Warn => {
                    names.extend(answer.names);
                    missing.extend(answer.missing);
                    blocks.extend(answer.blocks);
                }
                Ok(answer) => return Err(target.incomplete(answer.missing.first())),
                Err(e) => {
                    missing.extend(target.failed(e, request.partial_response, request.range, &request.matchers)?)
                }
            }
        }
        let limit = if request.limit == 0 { usize::MAX } else { usize::try_from(request.limit).unwrap_or(usize::MAX) };
        Ok(Names { names: names.into_iter().take(limit).collect(), missing, blocks })
    }
}

#[async_trait]
impl Store for Proxy {
    fn info(&self) -> Arc<StoreInfo> {
        let mut ranges = HashMap::<Labels, TimeRange>::new();
        for store in self.endpoints.get().iter() {
            let info = store.info();
            for extent in info.extents.iter().filter(|_| selected(&info, &self.store_match)) {
                let range = ranges.entry_ref(&extent.labels).or_insert(extent.range);
                *range = range.union(extent.range);
            }
        }
        let mut extents: Vec<_> = ranges.into_iter().map(|(labels, range)| Extent { labels, range }).collect();
        extents.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Arc::new(StoreInfo {
            name: self.options.name.clone(),
            kind: StoreKind::Query,
            extents,
            supports_sharding: true,
            supports_without_replica_labels: true,
        })
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let targets = match self.targets(request.range, &request.matchers, request.partial_response) {
            Ok(targets) => targets,
            Err(e) => return stream::iter([Err(e)]).boxed(),
        };
        let streams = targets
            .into_iter()
            .map(|target| {
                let cx = cx.part(&target.info.name);
                let stream = counted(&cx, adapt(&target, &cx, &request));
                Guard::new(target, &cx, &request, stream, self.options.response_timeout).boxed()
            })
            .collect();
        merge_streams(streams, MergeOptions { limit: request.limit, ..MergeOptions::default() })
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        let ask = |store: Arc<dyn Store>, request| {
            let cx = cx.clone();
            async move { store.label_names(&cx, request).await }
        };
        self.ask_labels(cx, &request, ask).await
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        let ask = |store: Arc<dyn Store>, request| {
            let cx = cx.clone();
            async move { store.label_values(&cx, request).await }
        };
        self.ask_labels(cx, &request, ask).await
    }
}

/// A store that is asked.
#[derive(Debug)]
struct Target {
    store: Arc<dyn Store>,
    info: Arc<StoreInfo>,
}

/// More label sets than this are not listed one by one.
const LISTED_LABEL_SETS_MAX: usize = 32;

impl Target {
    /// What the failure means for a request: parts of the answer that are missing, or its end.
    fn failed(
        &self,
        e: Error,
        partial: PartialResponse,
        range: TimeRange,
        matchers: &[Matcher],
    ) -> Result<Vec<Missing>> {
        match e {
            Error::Unavailable(_) | Error::Corrupt(_) if partial == PartialResponse::Warn => {}
            Error::Unavailable(cause) => return Err(Error::Unavailable(format!("store {}: {cause}", self.info.name))),
            Error::Exhausted(cause) => return Err(Error::Exhausted(format!("store {}: {cause}", self.info.name))),
            e => return Err(e),
        }
        let missing = |labels: Vec<_>, range: TimeRange| Missing {
            labels,
            min_time: range.min,
            max_time: range.max,
            store: self.info.name.clone(),
            cause: e.to_string(),
        };
        let extents: Vec<_> = self.info.matching(range, matchers).collect();
        if extents.is_empty() || extents.len() > LISTED_LABEL_SETS_MAX {
            return Ok(vec![missing(Vec::new(), range)]);
        }
        let pairs = |e: &Extent| e.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Ok(extents.into_iter().map(|e| missing(pairs(e), e.range.intersection(range))).collect())
    }

    /// A store of a store failed, and a partial answer is not wanted.
    fn incomplete(&self, missing: Option<&Missing>) -> Error {
        let text = missing.map_or_else(String::new, |m| format!("store {}: {}", m.store, m.cause));
        Error::Unavailable(format!("{} gave an incomplete answer: {text}", self.info.name))
    }
}

fn timed_out(timeout: Duration) -> Error {
    Error::Unavailable(format!("nothing came within {timeout:?}"))
}

#[cfg(test)]
mod tests;
