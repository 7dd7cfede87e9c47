//! The way to a remote store: below its client, where each single HTTP request passes, retries included.
//!
//! Three things happen here. Requests in flight are limited, and the limit halves when the store says 429
//! or 503 and grows by one a round when it does not, so that an overloaded store is asked less instead of
//! more. A read whose answer does not begin when 95 of 100 others have begun is asked once more, and the
//! first answer counts; such second requests are bounded by a share of all. And what is seen of latency
//! and rate tells [`Link::gap`] when two reads are better made one.

mod limit;
mod pace;

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{Either, select};
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use limit::Limit;
use pace::Pace;

/// Requests in flight unless the configuration says otherwise.
const CONCURRENCY_MAX: usize = 128;

/// The gap between two reads below which they are always one, and above which they never are, whatever
/// was measured.
const GAP_BYTES: std::ops::RangeInclusive<u64> = (16 << 10)..=(2 << 20);

/// What is known of the way to one store, and how it is used.
#[derive(Debug)]
pub(crate) struct Link {
    limit: Limit,
    pace: Pace,
    throttled: Counter,
    hedged: Counter,
    hedges_won: Counter,
}

impl Link {
    /// At most `concurrency` requests at a time (0: 128), of which at most the share `hedge_budget` are
    /// second ones.
    pub(crate) fn new(concurrency: usize, hedge_budget: f64) -> Arc<Self> {
        let concurrency = if concurrency == 0 { CONCURRENCY_MAX } else { concurrency };
        Arc::new(Self {
            limit: Limit::new(concurrency),
            pace: Pace::new(hedge_budget),
            throttled: Counter::default(),
            hedged: Counter::default(),
            hedges_won: Counter::default(),
        })
    }

    /// Bytes that the link carries in the time it takes for an answer to begin: two reads nearer than that
    /// are faster as one. `None` until enough was measured.
    pub(crate) fn gap(&self) -> Option<u64> {
        Some(self.pace.bytes_in_a_round()?.clamp(*GAP_BYTES.start(), *GAP_BYTES.end()))
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let counter = |registry: &mut Registry, name: &str, help: &str, counter: &Counter| {
            registry.register(format!("esker_objstore_{name}"), help, counter.clone());
        };
        counter(registry, "throttled_answers", "Answers of the store that it is asked too much", &self.throttled);
        counter(registry, "hedged_requests", "Reads asked a second time because the answer was late", &self.hedged);
        counter(registry, "hedged_requests_won", "Second requests whose answer came first", &self.hedges_won);
        let limit: Gauge = self.limit.gauge();
        let help = "Requests to the store that may be in flight; lower than at the start after throttled answers";
        registry.register("esker_objstore_concurrency_limit", help, limit);
    }

    async fn call(&self, client: &HttpClient, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Listings and other questions with parameters are rare and large: they are never asked twice.
        let read = request.method() == Method::GET && request.uri().query().is_none();
        if !read {
            return self.once(client, request).await.1;
        }
        self.pace.asked();
        let Some(late) = self.pace.late() else { return self.measured(self.once(client, request).await) };
        let first = pin!(self.once(client, request.clone()));
        let patience = pin!(tokio::time::sleep(late));
        let first = match select(first, patience).await {
            Either::Left((done, _)) => return self.measured(done),
            Either::Right(((), first)) => first,
        };
        if !self.limit.has_room() || !self.pace.may_hedge() {
            return self.measured(first.await);
        }
        self.hedged.inc();
        let second = pin!(self.once(client, request));
        match select(first, second).await {
            Either::Left((done, second)) => {
                if is_answer(&done.1) {
                    self.measured(done)
                } else {
                    self.second(second.await)
                }
            }
            Either::Right((done, first)) => {
                if is_answer(&done.1) {
                    self.second(done)
                } else {
                    self.measured(first.await)
                }
            }
        }
    }

    fn second(&self, done: (Duration, Result<HttpResponse, HttpError>)) -> Result<HttpResponse, HttpError> {
        if is_answer(&done.1) {
            self.hedges_won.inc();
        }
        self.measured(done)
    }

    /// One request, when its turn has come.
    async fn once(&self, client: &HttpClient, request: HttpRequest) -> (Duration, Result<HttpResponse, HttpError>) {
        let _turn = self.limit.enter().await;
        let start = Instant::now();
        let answer = client.execute(request).await;
        match &answer {
            Ok(answer) if is_throttled(answer.status()) => {
                self.throttled.inc();
                self.limit.shrink(start);
            }
            Ok(_) => self.limit.grow(),
            Err(_) => {}
        }
        (start.elapsed(), answer)
    }

    fn measured(&self, (took, answer): (Duration, Result<HttpResponse, HttpError>)) -> Result<HttpResponse, HttpError> {
        if is_answer(&answer) {
            self.pace.began(took);
        }
        answer
    }
}

fn is_throttled(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// Whether this settles a read: anything the store says, but that it cannot answer now.
fn is_answer(answer: &Result<HttpResponse, HttpError>) -> bool {
    answer.as_ref().is_ok_and(|answer| !answer.status().is_server_error() && !is_throttled(answer.status()))
}

/// Connects through a link.
#[derive(Debug)]
pub(crate) struct LinkConnector {
    pub(crate) link: Arc<Link>,
    /// In place of the stock client, which cannot do everything.
    pub(crate) client: Option<reqwest::Client>,
}

impl HttpConnector for LinkConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = match &self.client {
            Some(client) => HttpClient::new(client.clone()),
            None => ReqwestConnector::default().connect(options)?,
        };
        Ok(HttpClient::new(Linked { client, link: Arc::clone(&self.link) }))
    }
}

struct Linked {
    client: HttpClient,
    link: Arc<Link>,
}

impl fmt::Debug for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linked").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpService for Linked {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let read = request.method() == Method::GET;
        let answer = self.link.call(&self.client, request).await?;
        if !read {
            return Ok(answer);
        }
        let link = Arc::clone(&self.link);
        Ok(answer.map(|body| HttpResponseBody::new(Timed { body, link, start: Instant::now(), bytes: 0 })))
    }
}

/// Measures how fast an answer's body comes.
struct Timed {
    body: HttpResponseBody,
    link: Arc<Link>,
    start: Instant,
    bytes: u64,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Poll::Ready(None) => self.link.pace.carried(self.bytes, self.start.elapsed()),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
