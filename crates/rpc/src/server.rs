use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::request::{Cancel, Context, Tally};
use futures::stream::{self, BoxStream, StreamExt};
use proto::thanos as wire;
use proto::thanos::info as wire_info;
use proto::thanos::info::info_server::{Info, InfoServer};
use proto::thanos::series_response::Result as Kind;
use proto::thanos::store_server::{Store as StoreApi, StoreServer};
use store::{Frame, SeriesBatch, Store, StoreInfo};
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::error::{Error, to_status};
use crate::hints::{Gathered, Labels};
use crate::metrics::{GrpcMetrics, Running, STREAM, UNARY};
use crate::response::Reader;
use crate::snappy::SnappyLayer;
use crate::{missing, request, response};

mod reflection;

/// Makes a request's context; it is given the time that the client allows, if it says.
pub type Contexts = Arc<dyn Fn(Option<Duration>) -> Context + Send + Sync>;

/// How a server behaves.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    pub tls: Option<ServerTls>,
    /// Older connections are asked to go.
    pub max_connection_age: Option<Duration>,
    /// How long calls may go on after the shutdown began.
    pub grace: Duration,
    pub metrics: GrpcMetrics,
}

/// PEM texts.
#[derive(Clone)]
pub struct ServerTls {
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
    /// Clients must show a certificate signed by one of these.
    pub client_ca: Option<Vec<u8>>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ServerTls {
    /// Reads the files of the flags `--grpc-server-tls-*`; no certificate and no key means no TLS.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn from_files(cert: &str, key: &str, client_ca: &str) -> Result<Option<Self>, Error> {
        let read = |path: &str| std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source });
        if cert.is_empty() && key.is_empty() && client_ca.is_empty() {
            return Ok(None);
        }
        let client_ca = if client_ca.is_empty() { None } else { Some(read(client_ca)?) };
        Ok(Some(Self { cert: read(cert)?, key: read(key)?, client_ca }))
    }
}

/// Serves `store` on `listener` as `thanos.Store` and `thanos.info.Info`, with `grpc.health.v1` and
/// `grpc.reflection`, until `shutdown`; then calls under way have the grace period to end.
///
/// # Errors
/// When the TLS settings do not fit or the server fails.
pub async fn serve(
    store: Arc<dyn Store>,
    contexts: Contexts,
    listener: TcpListener,
    settings: ServerSettings,
    shutdown: impl Future<Output = ()> + Send + Clone,
) -> Result<(), Error> {
    let mut server = Server::builder()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .http2_keepalive_interval(Some(Duration::from_secs(60)));
    if let Some(age) = settings.max_connection_age.filter(|a| !a.is_zero()) {
        server = server.max_connection_age(age).max_connection_age_grace(settings.grace);
    }
    if let Some(tls) = settings.tls {
        let mut config = ServerTlsConfig::new().identity(Identity::from_pem(tls.cert, tls.key));
        if let Some(ca) = tls.client_ca {
            config = config.client_ca_root(Certificate::from_pem(ca));
        }
        server = server.tls_config(config)?;
    }
    let api = Api { store, contexts, metrics: settings.metrics };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<StoreServer<Api>>().await;
    let store_service = StoreServer::new(api.clone())
        .max_decoding_message_size(i32::MAX as usize)
        .max_encoding_message_size(i32::MAX as usize)
        .accept_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Zstd);
    let serving = server
        .layer(SnappyLayer)
        .add_service(store_service)
        .add_service(InfoServer::new(api))
        .add_service(health_service)
        .add_service(reflection::current()?)
        .add_service(reflection::old()?)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), shutdown.clone());
    let overdue = async {
        shutdown.await;
        tokio::time::sleep(settings.grace).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = overdue => Ok(()),
    }
}

#[derive(Clone)]
struct Api {
    store: Arc<dyn Store>,
    contexts: Contexts,
    metrics: GrpcMetrics,
}

type Messages = BoxStream<'static, Result<wire::SeriesResponse, Status>>;

#[tonic::async_trait]
impl StoreApi for Api {
    type SeriesStream = Messages;

    async fn series(&self, call: Request<wire::SeriesRequest>) -> Result<Response<Messages>, Status> {
        let mut running = self.metrics.begin(STORE, "Series", STREAM);
        let cx = (self.contexts)(timeout(call.metadata()));
        let per_message = usize::try_from(call.get_ref().response_batch_size).unwrap_or(0);
        let (header, all) = response::ENCODINGS;
        let reads_all = call.metadata().get(header).is_some_and(|value| value == all);
        let reader = if reads_all { Reader::Esker } else { Reader::Thanos };
        let request = request::series_from_wire(call.into_inner()).map_err(to_status);
        let (request, stats) = request.inspect_err(|status| running.end(status.code()))?;
        let tally = stats.then(|| Arc::new(Tally::new("series")));
        let cx = tally.as_ref().map_or_else(|| cx.clone(), |tally| cx.counted_in(Arc::clone(tally)));
        let gathered = Arc::new(Mutex::new(Gathered::new(tally)));
        let frames = self.store.series(&cx, request);
        // A panic fails this call, not the connection.
        let frames = AssertUnwindSafe(frames).catch_unwind();
        let into = Arc::clone(&gathered);
        let messages = frames.flat_map(move |frame| {
            if let Ok(Ok(frame)) = &frame {
                into.lock().unwrap_or_else(PoisonError::into_inner).add(frame);
            }
            let (messages, batch) = match frame {
                Ok(Ok(frame)) => encode(frame, per_message, reader),
                Ok(Err(e)) => (vec![Err(to_status(e))], None),
                Err(_) => (vec![Err(Status::internal("the request panicked"))], None),
            };
            // The batch's memory is held until its last message has gone.
            stream::iter(messages).inspect(move |_| {
                let _held = &batch;
            })
        });
        // Nothing of a stream that fails is sent after the failure.
        let hints = stream::once(async move { gathered.lock().unwrap_or_else(PoisonError::into_inner).hints() });
        let hints = hints.filter_map(|hints| std::future::ready(hints.map(hints_message)));
        Ok(Response::new(until_deadline(&cx, messages.chain(hints).boxed(), running)))
    }

    async fn label_names(
        &self,
        call: Request<wire::LabelNamesRequest>,
    ) -> Result<Response<wire::LabelNamesResponse>, Status> {
        let running = self.metrics.begin(STORE, "LabelNames", UNARY);
        running.ended(self.names(call).await)
    }

    async fn label_values(
        &self,
        call: Request<wire::LabelValuesRequest>,
    ) -> Result<Response<wire::LabelValuesResponse>, Status> {
        let running = self.metrics.begin(STORE, "LabelValues", UNARY);
        running.ended(self.values(call).await)
    }
}

const STORE: &str = "thanos.Store";

impl Api {
    async fn names(
        &self,
        call: Request<wire::LabelNamesRequest>,
    ) -> Result<Response<wire::LabelNamesResponse>, Status> {
        let cx = (self.contexts)(timeout(call.metadata()));
        let _gone = CancelOnDrop(cx.cancel().clone());
        let request = request::names_from_wire(call.into_inner()).map_err(to_status)?;
        let found = self.store.label_names(&cx, request).await.map_err(to_status)?;
        let warnings = found.missing.iter().map(missing::to_warning).collect();
        let hints = Labels::Names.answer(&found.blocks);
        Ok(Response::new(wire::LabelNamesResponse { names: found.names, warnings, hints }))
    }

    async fn values(
        &self,
        call: Request<wire::LabelValuesRequest>,
    ) -> Result<Response<wire::LabelValuesResponse>, Status> {
        let cx = (self.contexts)(timeout(call.metadata()));
        let _gone = CancelOnDrop(cx.cancel().clone());
        let request = request::values_from_wire(call.into_inner()).map_err(to_status)?;
        if request.label.is_empty() {
            return Err(Status::invalid_argument("label name parameter cannot be empty"));
        }
        let found = self.store.label_values(&cx, request).await.map_err(to_status)?;
        let warnings = found.missing.iter().map(missing::to_warning).collect();
        let hints = Labels::Values.answer(&found.blocks);
        Ok(Response::new(wire::LabelValuesResponse { values: found.names, warnings, hints }))
    }
}

#[tonic::async_trait]
impl Info for Api {
    async fn info(&self, _: Request<wire_info::InfoRequest>) -> Result<Response<wire_info::InfoResponse>, Status> {
        let running = self.metrics.begin("thanos.info.Info", "Info", UNARY);
        running.ended(Ok(Response::new(info_to_wire(&self.store.info()))))
    }
}

fn info_to_wire(info: &StoreInfo) -> wire_info::InfoResponse {
    let set = |labels: &model::Labels| wire::ZLabelSet {
        labels: labels
            .iter()
            .map(|(n, v)| wire::Label { name: n.as_bytes().to_vec().into(), value: v.as_bytes().to_vec().into() })
            .collect(),
    };
    let mut sets: Vec<_> = info.extents.iter().map(|e| &e.labels).collect();
    sets.sort();
    sets.dedup();
    // Thanos' convention for a store without data: a range that nothing overlaps.
    let (min_time, max_time) = info.time_range().map_or((i64::MAX, i64::MIN), |r| (r.min, r.max));
    wire_info::InfoResponse {
        label_sets: sets.into_iter().filter(|l| !l.is_empty()).map(set).collect(),
        component_type: info.kind.as_str().to_owned(),
        store: Some(wire_info::StoreInfo {
            min_time,
            max_time,
            supports_sharding: info.supports_sharding,
            supports_without_replica_labels: info.supports_without_replica_labels,
            tsdb_infos: info
                .extents
                .iter()
                .map(|e| wire_info::TsdbInfo {
                    labels: Some(set(&e.labels)),
                    min_time: e.range.min,
                    max_time: e.range.max,
                })
                .collect(),
            supports_projections: false,
        }),
        ..wire_info::InfoResponse::default()
    }
}

fn hints_message(hints: prost_types::Any) -> Result<wire::SeriesResponse, Status> {
    Ok(wire::SeriesResponse { result: Some(Kind::Hints(hints)) })
}

type Encoded = (Vec<Result<wire::SeriesResponse, Status>>, Option<SeriesBatch>);

/// The messages for a frame, and what covers their memory.
fn encode(frame: Frame, per_message: usize, reader: Reader) -> Encoded {
    match frame {
        Frame::Batch(batch) => match response::messages(&batch, per_message, reader) {
            Ok(messages) => (messages.into_iter().map(Ok).collect(), Some(batch)),
            Err(e) => (vec![Err(to_status(e))], None),
        },
        Frame::Missing(missing) => {
            let warning = missing::to_warning(&missing);
            (vec![Ok(wire::SeriesResponse { result: Some(Kind::Warning(warning)) })], None)
        }
        // All together they go last.
        Frame::Stats(_) => (Vec::new(), None),
    }
}

/// `messages` until its first error or the context's deadline; dropping it cancels the context.
fn until_deadline(cx: &Context, messages: Messages, running: Running) -> Messages {
    struct State {
        messages: Messages,
        deadline: Option<Instant>,
        over: bool,
        cancel: CancelOnDrop,
        running: Running,
    }
    let cancel = CancelOnDrop(cx.cancel().clone());
    let state = State { messages, deadline: cx.deadline(), over: false, cancel, running };
    stream::unfold(state, |mut state| async move {
        if state.over {
            return None;
        }
        let next = match state.deadline {
            None => state.messages.next().await,
            Some(at) => match tokio::time::timeout_at(at.into(), state.messages.next()).await {
                Ok(next) => next,
                Err(_) => {
                    state.cancel.0.time_out();
                    Some(Err(Status::deadline_exceeded("query timed out")))
                }
            },
        };
        let Some(next) = next else {
            state.running.end(tonic::Code::Ok);
            return None;
        };
        if let Err(status) = &next {
            state.over = true;
            state.running.end(status.code());
        }
        Some((next, state))
    })
    .boxed()
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The header `grpc-timeout`: up to eight digits and a unit.
fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let n: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}
