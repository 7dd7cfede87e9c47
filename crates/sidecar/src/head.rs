//! Prometheus as a [`Store`]: its head (and whatever else it still holds) through remote read, labels
//! through its HTTP API.

mod collect;
mod external;
mod frames;
mod ordered;
mod remote_read;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::request::Context;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use model::{Labels, TimeRange};
use store::{Error, Extent, Frame, LabelsRequest, Names, Result, SeriesRequest, Store, StoreInfo, StoreKind};

use crate::PrometheusClient;
use collect::Collector;
use external::Selected;
use ordered::Ordered;
use remote_read::Answer;

/// What is known of a Prometheus server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadState {
    pub external_labels: Labels,
    /// The oldest time that is served, Unix milliseconds.
    pub min_time: i64,
}

/// A Prometheus server as a store. External labels win over series labels of the same name.
///
/// An answer streams: external labels change the order of a few series only, which are held back. It is
/// collected before its first series goes out where Prometheus gives it in another order (label sets
/// alone, samples) or some series has a label itself that is removed or replaced; then it is held against the
/// request's memory account.
#[derive(Debug)]
pub struct PrometheusStore {
    client: PrometheusClient,
    state: ArcSwap<(HeadState, Arc<StoreInfo>)>,
    /// Prometheus once gave series in another order than that of their labels.
    disordered: Arc<AtomicBool>,
}

impl PrometheusStore {
    #[must_use]
    pub fn new(client: PrometheusClient, state: HeadState) -> Self {
        let info = info(&client, &state);
        Self { client, state: ArcSwap::from_pointee((state, info)), disordered: Arc::default() }
    }

    /// Takes over what was learned since.
    pub fn update(&self, state: HeadState) {
        if self.state.load().0 != state {
            let info = info(&self.client, &state);
            self.state.store(Arc::new((state, info)));
        }
    }

    /// The external labels as of now.
    #[must_use]
    pub fn external_labels(&self) -> Labels {
        self.state.load().0.external_labels.clone()
    }

    /// The part of a request that Prometheus answers; `None` where nothing can match.
    fn select(&self, matchers: &[model::Matcher], range: TimeRange) -> Option<Selected> {
        let state = self.state.load();
        external::select(
            &state.0.external_labels,
            matchers,
            range.intersection(TimeRange::new(state.0.min_time, i64::MAX)),
        )
    }
}

fn info(client: &PrometheusClient, state: &HeadState) -> Arc<StoreInfo> {
    let range = TimeRange::new(state.min_time, i64::MAX);
    Arc::new(StoreInfo {
        name: client.url().to_string(),
        kind: StoreKind::Sidecar,
        extents: vec![Extent { labels: state.external_labels.clone(), range }],
        supports_sharding: true,
        supports_without_replica_labels: true,
    })
}

#[async_trait]
impl Store for PrometheusStore {
    fn info(&self) -> Arc<StoreInfo> {
        self.state.load().1.clone()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let Some(selected) = self.select(&request.matchers, request.range) else {
            return stream::empty().boxed();
        };
        let ask = Ask {
            cx: cx.clone(),
            client: self.client.clone(),
            external: self.external_labels(),
            selected,
            request,
            disordered: Arc::clone(&self.disordered),
        };
        let answer = async move { ask.answer().await.unwrap_or_else(|e| stream::iter([Err(e)]).boxed()) };
        stream::once(answer).flatten().boxed()
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        cx.check()?;
        let Some(selected) = self.select(&request.matchers, request.range) else { return Ok(Names::default()) };
        let found = self.client.label_names(selected.given(), selected.range, 0).await.map_err(unavailable)?;
        if found.is_empty() {
            return Ok(Names::default());
        }
        let external = self.external_labels();
        let names: BTreeSet<String> = found.into_iter().chain(external.iter().map(|(n, _)| n.to_owned())).collect();
        let kept = names.into_iter().filter(|n| !request.without_replica_labels.contains(n));
        Ok(limited(kept, request.limit))
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        cx.check()?;
        if request.without_replica_labels.contains(&request.label) {
            return Ok(Names::default());
        }
        let Some(selected) = self.select(&request.matchers, request.range) else { return Ok(Names::default()) };
        let external = self.external_labels();
        let Some(value) = external.get(&request.label) else {
            let (label, range) = (&request.label, selected.range);
            let values = self.client.label_values(label, selected.given(), range, 0).await.map_err(unavailable)?;
            let values: BTreeSet<String> = values.into_iter().collect();
            return Ok(limited(values.into_iter(), request.limit));
        };
        // Every series has the external label, if there is one.
        let any = selected.given().is_empty()
            || !self.client.series(&selected.matchers, selected.range, 1).await.map_err(unavailable)?.is_empty();
        Ok(limited(any.then(|| value.to_owned()).into_iter(), request.limit))
    }
}

/// A request for series, on its way.
struct Ask {
    cx: Context,
    client: PrometheusClient,
    external: Labels,
    selected: Selected,
    request: SeriesRequest,
    disordered: Arc<AtomicBool>,
}

impl Ask {
    async fn answer(self) -> Result<BoxStream<'static, Result<Frame>>> {
        let Self { cx, client, external, selected, request, disordered } = &self;
        let mut collector = Collector::new(cx, external, request)?;
        if request.skip_chunks {
            let sets = client.series(&selected.matchers, selected.range, 0).await.map_err(unavailable)?;
            for labels in sets {
                cx.check()?;
                collector.add(&labels.iter().collect::<Vec<_>>(), Vec::new())?;
            }
        } else {
            let asked = remote_read::ask(client, selected, request);
            let (answer, keeps_order) = futures::future::join(asked, self.keeps_order()).await;
            match answer? {
                Answer::Chunks(response) if keeps_order => {
                    let ordered = Ordered::new(cx, external, request, Arc::clone(disordered))?;
                    return Ok(ordered::read(cx, response, ordered));
                }
                answer => remote_read::collect(cx, answer, &mut collector).await?,
            }
        }
        let batches = cx.run(move || collector.finish()).await??;
        Ok(stream::iter(batches.into_iter().map(|batch| Ok(Frame::Batch(batch)))).boxed())
    }

    /// Whether no series has a label itself that is removed or replaced, as far as can be told.
    async fn keeps_order(&self) -> bool {
        if self.disordered.load(Ordering::Relaxed) {
            return false;
        }
        // Of all series: that is quickly told, and what is not selected seldom has other names.
        let Ok(names) = self.client.label_names(&[], self.selected.range, 0).await else { return false };
        let goes =
            |name: &String| self.external.get(name).is_some() || self.request.without_replica_labels.contains(name);
        !names.iter().any(goes)
    }
}

fn limited(names: impl Iterator<Item = String>, limit: u64) -> Names {
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    Names { names: names.take(limit).collect(), ..Names::default() }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn unavailable(e: anyhow::Error) -> Error {
    Error::Unavailable(format!("{e:#}"))
}
