use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prometheus_client::metrics::gauge::Gauge;
use request::Context;
use store::{Error, Frame, LabelsRequest, Names, Result, SeriesRequest, Stats, Store, StoreInfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::{Metrics, Reason, TENANT};

/// A store that serves so many requests for series side by side; others wait until their deadline. Counts what
/// it gives.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

impl Gate {
    /// 0 requests is no limit.
    pub(crate) fn new(store: Arc<dyn Store>, requests: usize, metrics: Metrics) -> Self {
        let requests = if requests == 0 { Semaphore::MAX_PERMITS } else { requests.min(Semaphore::MAX_PERMITS) };
        metrics.gate_max.set(i64::try_from(requests).unwrap_or(i64::MAX));
        Self { store, permits: Arc::new(Semaphore::new(requests)), metrics }
    }

    fn refused<T>(&self, answer: Result<T>) -> Result<T> {
        count_refusal(&self.metrics, answer.as_ref().err());
        answer
    }
}

fn count_refusal(metrics: &Metrics, e: Option<&Error>) {
    let Some(Error::Exhausted(text)) = e else { return };
    let reasons = [
        ("request-series", "series"),
        ("request-samples", "chunks"),
        ("downloaded-bytes", "bytes"),
        ("chunk-pool-size", "chunk pool"),
    ];
    let reason = reasons.iter().find(|(flag, _)| text.contains(flag)).map_or("memory", |(_, reason)| reason);
    metrics.queries_dropped.get_or_create(&Reason { reason, tenant: TENANT }).inc();
}

#[async_trait]
impl Store for Gate {
    fn info(&self) -> Arc<StoreInfo> {
        self.store.info()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let (permits, store, cx) = (Arc::clone(&self.permits), Arc::clone(&self.store), cx.clone());
        let metrics = self.metrics.clone();
        let admitted = async move {
            let since = Instant::now();
            let Ok(permit) = permits.acquire_owned().await else {
                let shut = Error::Unavailable("the store is shutting down".to_owned());
                return stream::iter([Err(shut)]).boxed();
            };
            metrics.gate_seconds.observe(since.elapsed().as_secs_f64());
            metrics.gate_total.inc();
            let in_flight = InFlight::new(metrics.gate_in_flight.clone());
            let answer = Answer { since: Instant::now(), first: None, series: 0, stats: Stats::default() };
            let stream = store.series(&cx, request);
            Held { stream, answer, metrics, _in_flight: in_flight, _permit: permit }.frames()
        };
        stream::once(admitted).flatten().boxed()
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.refused(self.store.label_names(cx, request).await)
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.refused(self.store.label_values(cx, request).await)
    }
}

/// A stream with its permit, which goes back when the stream is dropped.
struct Held {
    stream: BoxStream<'static, Result<Frame>>,
    answer: Answer,
    metrics: Metrics,
    _in_flight: InFlight,
    _permit: OwnedSemaphorePermit,
}

struct Answer {
    since: Instant,
    first: Option<Instant>,
    series: u64,
    stats: Stats,
}

impl Held {
    fn frames(self) -> BoxStream<'static, Result<Frame>> {
        stream::unfold(self, |mut held| async move {
            let frame = held.stream.next().await;
            held.count(frame.as_ref());
            frame.map(|frame| (frame, held))
        })
        .boxed()
    }

    fn count(&mut self, frame: Option<&Result<Frame>>) {
        let Self { answer, metrics, .. } = self;
        let now = Instant::now();
        let first = *answer.first.get_or_insert(now);
        match frame {
            Some(Ok(Frame::Batch(batch))) => {
                answer.series += batch.len() as u64;
                batch
                    .runs
                    .iter()
                    .flat_map(|run| batch.chunks_in(run))
                    .for_each(|c| metrics.sent_chunk_bytes.observe(f64::from(c.len)));
            }
            Some(Ok(Frame::Stats(stats))) => answer.stats.add(stats),
            Some(Ok(Frame::Missing(_))) => {}
            Some(Err(e)) => count_refusal(metrics, Some(e)),
            None => {
                metrics.get_all_seconds.observe((first - answer.since).as_secs_f64());
                metrics.merge_seconds.observe((now - first).as_secs_f64());
                metrics.answered(answer.series, &answer.stats);
            }
        }
    }
}

struct InFlight(Gauge);

impl InFlight {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
