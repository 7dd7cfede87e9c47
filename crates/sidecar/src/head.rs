//! Prometheus as a [`Store`]: its head (and whatever else it still holds) through remote read, labels
//! through its HTTP API.

mod collect;
mod external;
mod frames;
mod remote_read;

use std::collections::BTreeSet;
use std::sync::Arc;

use ::request::Context;
use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use model::{Labels, TimeRange};
use store::{Error, Extent, Frame, LabelsRequest, Names, Result, SeriesRequest, Store, StoreInfo, StoreKind};

use crate::PrometheusClient;
use collect::Collector;
use external::Selected;

/// What is known of a Prometheus server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadState {
    pub external_labels: Labels,
    /// The oldest time that is served, Unix milliseconds.
    pub min_time: i64,
}

/// A Prometheus server as a store. External labels win over series labels of the same name.
///
/// An answer is collected before its first series goes out, because external labels may change the
/// order of series; it is held against the request's memory account.
#[derive(Debug)]
pub struct PrometheusStore {
    client: PrometheusClient,
    state: ArcSwap<(HeadState, Arc<StoreInfo>)>,
}

impl PrometheusStore {
    #[must_use]
    pub fn new(client: PrometheusClient, state: HeadState) -> Self {
        let info = info(&client, &state);
        Self { client, state: ArcSwap::from_pointee((state, info)) }
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
            return futures::stream::empty().boxed();
        };
        let (cx, client, external) = (cx.clone(), self.client.clone(), self.external_labels());
        let batches = async move {
            let mut collector = Collector::new(&cx, &external, &request)?;
            if request.skip_chunks {
                let sets = client.series(&selected.matchers, selected.range, 0).await.map_err(unavailable)?;
                for labels in sets {
                    cx.check()?;
                    collector.add_labels(&labels)?;
                }
            } else {
                remote_read::collect(&cx, &client, &selected, &request, &mut collector).await?;
            }
            cx.run(move || collector.finish()).await?
        };
        futures::stream::once(batches)
            .flat_map(|batches| match batches {
                Ok(batches) => futures::stream::iter(batches.into_iter().map(|b| Ok(Frame::Batch(b)))).boxed(),
                Err(e) => futures::stream::iter([Err(e)]).boxed(),
            })
            .boxed()
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

fn limited(names: impl Iterator<Item = String>, limit: u64) -> Names {
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    Names { names: names.take(limit).collect(), ..Names::default() }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn unavailable(e: anyhow::Error) -> Error {
    Error::Unavailable(format!("{e:#}"))
}
