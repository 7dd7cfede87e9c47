use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ::request::{Context, Missing};
use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use model::{Labels, TimeRange};
use proto::thanos as wire;
use proto::thanos::info as wire_info;
use proto::thanos::info::info_client::InfoClient;
use proto::thanos::series_response::Result as Kind;
use proto::thanos::store_client::StoreClient;
use store::{Error as StoreError, Extent, Frame, LabelsRequest, Names, SeriesRequest, Store, StoreInfo, StoreKind};
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

use crate::error::{Error, causes, from_status};
use crate::hints::Labels as LabelsHints;
use crate::snappy::Line;
use crate::{missing, request};

mod series;

/// How often a peer is asked what it has, and how long it may take to say.
const INFO_INTERVAL: Duration = Duration::from_secs(5);
const INFO_TIMEOUT: Duration = Duration::from_secs(5);
/// After so many failed checks in a row a peer is not asked until one succeeds.
const FAILURES_MAX: u32 = 2;

/// How to reach a peer.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// `host:port`.
    pub address: String,
    pub tls: Option<ClientTls>,
    pub compression: Compression,
    /// The wall clock in Unix milliseconds.
    pub clock: fn() -> i64,
}

/// How messages are compressed. For thin lines: chunks hardly shrink, labels do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    #[default]
    None,
    /// Requests and answers: what Thanos' peers understand.
    Snappy,
    /// Answers only, of Esker's peers; others answer plainly.
    Zstd,
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "snappy" => Ok(Self::Snappy),
            "zstd" => Ok(Self::Zstd),
            other => Err(format!("{other:?} is not one of none, snappy, zstd")),
        }
    }
}

/// PEM texts and the name that the server's certificate must bear.
#[derive(Clone, Default)]
pub struct ClientTls {
    /// Empty: the name of the host.
    pub server_name: String,
    /// Whom to trust.
    pub ca: Vec<u8>,
    /// The client's own certificate and key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// How a peer is, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteStatus {
    /// When it was last asked, Unix milliseconds; 0 for never.
    pub last_check_ms: i64,
    /// Why it did not answer then.
    pub last_error: Option<String>,
}

/// A store at the other end of a gRPC connection. Until its first answer it claims all of time with unknown
/// labels, and after a failed one what it last said, so that queries name it as missing instead of passing it
/// over. Who has answered before is still asked after a failed check, for it may only be slow to say what it
/// has; after [`FAILURES_MAX`] of them in a row, without any other call that it answered in between, calls
/// fail at once, until [`RemoteStore::refresh`] succeeds. So do calls of one that has never answered.
pub struct RemoteStore {
    name: String,
    store: StoreClient<Line>,
    info: InfoClient<Line>,
    state: RwLock<State>,
    /// Failed checks since it last answered anything.
    failures: Arc<AtomicU32>,
    clock: fn() -> i64,
}

struct State {
    info: Arc<StoreInfo>,
    status: RemoteStatus,
    /// It has said what it has at least once.
    known: bool,
}

impl RemoteStore {
    /// Does not connect yet. Needs the runtime's context.
    ///
    /// # Errors
    /// When the address or the TLS settings are wrong.
    pub fn new(settings: RemoteSettings) -> Result<Self, Error> {
        let RemoteSettings { address, tls, compression, clock } = settings;
        let endpoint = endpoint(&address, tls)?;
        let line = Line { channel: endpoint.connect_lazy(), snappy: compression == Compression::Snappy };
        let mut store = StoreClient::new(line.clone())
            .max_decoding_message_size(i32::MAX as usize)
            .max_encoding_message_size(i32::MAX as usize);
        if compression == Compression::Zstd {
            store = store.accept_compressed(CompressionEncoding::Zstd);
        }
        let info = StoreInfo {
            name: address.clone(),
            extents: vec![Extent { labels: Labels::empty(), range: TimeRange::ALL }],
            ..StoreInfo::default()
        };
        let state = State { info: Arc::new(info), status: RemoteStatus::default(), known: false };
        let failures = Arc::default();
        Ok(Self { name: address, store, info: InfoClient::new(line), state: RwLock::new(state), failures, clock })
    }

    /// Its address.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn status(&self) -> RemoteStatus {
        self.read().status.clone()
    }

    /// Asks the peer what it has. Gives whether it answered.
    pub async fn refresh(&self) -> bool {
        let mut client = self.info.clone();
        let call = client.info(Request::new(wire_info::InfoRequest {}));
        let answer = match tokio::time::timeout(INFO_TIMEOUT, call).await {
            Ok(Ok(answer)) => info_from_wire(&self.name, answer.into_inner()),
            Ok(Err(status)) => Err(status_text(&status)),
            Err(_) => Err(format!("no answer within {} s", INFO_TIMEOUT.as_secs())),
        };
        self.checked(answer)
    }

    /// Notes what came of a check.
    pub(crate) fn checked(&self, answer: Result<StoreInfo, String>) -> bool {
        let last_check_ms = (self.clock)();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(info) => {
                if *state.info != info {
                    state.info = Arc::new(info);
                }
                state.status = RemoteStatus { last_check_ms, last_error: None };
                state.known = true;
                self.failures.store(0, Ordering::Relaxed);
                true
            }
            Err(error) => {
                state.status = RemoteStatus { last_check_ms, last_error: Some(error) };
                self.failures.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Refreshes every five seconds, for ever: run it in a task and drop it with the store.
    pub async fn watch(self: Arc<Self>) {
        loop {
            self.refresh().await;
            tokio::time::sleep(INFO_INTERVAL).await;
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where there is no use in asking the peer.
    fn check(&self, cx: &Context) -> store::Result<()> {
        cx.check()?;
        let state = self.read();
        let may_serve = state.known && self.failures.load(Ordering::Relaxed) < FAILURES_MAX;
        match &state.status.last_error {
            None => Ok(()),
            Some(_) if may_serve => Ok(()),
            Some(error) => Err(StoreError::Unavailable(format!("{}: {error}", self.name))),
        }
    }

    fn missing(&self, warnings: &[String], range: TimeRange) -> Vec<Missing> {
        warnings.iter().map(|w| missing::from_warning(w, &self.name, range.min, range.max)).collect()
    }
}

#[async_trait]
impl Store for RemoteStore {
    fn info(&self) -> Arc<StoreInfo> {
        Arc::clone(&self.read().info)
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, store::Result<Frame>> {
        match self.check(cx) {
            Ok(()) => series::stream(self, cx, request),
            Err(e) => stream::iter([Err(e)]).boxed(),
        }
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> store::Result<Names> {
        self.check(cx)?;
        let call = timed(cx, request::names_to_wire(&request));
        let answer = self.store.clone().label_names(call).await.map_err(|s| interrupted(cx, &self.name, &s))?;
        self.failures.store(0, Ordering::Relaxed);
        let answer = answer.into_inner();
        let missing = self.missing(&answer.warnings, request.range);
        let blocks = LabelsHints::Names.answered(answer.hints.as_ref());
        Ok(Names { names: sorted(answer.names, &request), missing, blocks })
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> store::Result<Names> {
        self.check(cx)?;
        let call = timed(cx, request::values_to_wire(&request));
        let answer = self.store.clone().label_values(call).await.map_err(|s| interrupted(cx, &self.name, &s))?;
        self.failures.store(0, Ordering::Relaxed);
        let answer = answer.into_inner();
        let missing = self.missing(&answer.warnings, request.range);
        let blocks = LabelsHints::Values.answered(answer.hints.as_ref());
        Ok(Names { names: sorted(answer.values, &request), missing, blocks })
    }
}

/// How a peer is connected to.
pub(crate) fn endpoint(address: &str, tls: Option<ClientTls>) -> Result<Endpoint, Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(|_| Error::Address(address.to_owned()))?
        .connect_timeout(Duration::from_secs(5))
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .tcp_nodelay(true);
    let Some(tls) = tls else { return Ok(endpoint) };
    let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(tls.ca));
    if !tls.server_name.is_empty() {
        config = config.domain_name(tls.server_name);
    }
    if let Some((cert, key)) = tls.identity {
        config = config.identity(Identity::from_pem(cert, key));
    }
    Ok(endpoint.tls_config(config)?)
}

/// Peers should sort; the trait promises.
fn sorted(mut names: Vec<String>, request: &LabelsRequest) -> Vec<String> {
    if !names.is_sorted() {
        names.sort_unstable();
    }
    names.dedup();
    if request.limit > 0 {
        names.truncate(usize::try_from(request.limit).unwrap_or(usize::MAX));
    }
    names
}

/// A call that carries what is left of the context's time.
fn timed<T>(cx: &Context, message: T) -> Request<T> {
    let mut call = Request::new(message);
    if let Some(deadline) = cx.deadline() {
        call.set_timeout(deadline.saturating_duration_since(Instant::now()));
    }
    call
}

/// A failed call: the request's own end where that is the reason, else the peer's fault.
fn interrupted(cx: &Context, peer: &str, status: &Status) -> StoreError {
    if let Err(reason) = cx.check() {
        return reason.into();
    }
    let late = cx.deadline().is_some_and(|d| d <= Instant::now());
    if late && matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) {
        return ::request::Interrupted::TimedOut.into();
    }
    from_status(peer, status)
}

fn status_text(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => causes(source),
        None => format!("{:?}: {}", status.code(), status.message()),
    }
}

fn info_from_wire(name: &str, info: wire_info::InfoResponse) -> Result<StoreInfo, String> {
    let Some(store) = info.store else { return Err("does not offer the StoreAPI".to_owned()) };
    let kind = match info.component_type.as_str() {
        "sidecar" => StoreKind::Sidecar,
        "rule" => StoreKind::Rule,
        "receive" => StoreKind::Receive,
        "query" => StoreKind::Query,
        _ => StoreKind::Store,
    };
    let extents = if store.tsdb_infos.is_empty() {
        let range = TimeRange::new(store.min_time, store.max_time);
        let mut sets: Vec<_> = info.label_sets.iter().map(labels).collect::<Result<_, _>>()?;
        if sets.is_empty() {
            sets.push(Labels::empty());
        }
        sets.into_iter().map(|labels| Extent { labels, range }).filter(|e| !e.range.is_empty()).collect()
    } else {
        let extent = |t: &wire_info::TsdbInfo| {
            let labels = t.labels.as_ref().map(labels).transpose()?.unwrap_or_default();
            Ok(Extent { labels, range: TimeRange::new(t.min_time, t.max_time) })
        };
        store.tsdb_infos.iter().map(extent).collect::<Result<_, String>>()?
    };
    Ok(StoreInfo {
        name: name.to_owned(),
        kind,
        extents,
        supports_sharding: store.supports_sharding,
        supports_without_replica_labels: store.supports_without_replica_labels,
    })
}

fn labels(set: &wire::ZLabelSet) -> Result<Labels, String> {
    let text = |b: &[u8]| str::from_utf8(b).map(str::to_owned).map_err(|_| "sent a label that is not UTF-8".to_owned());
    let pairs = set.labels.iter().map(|l| Ok((text(&l.name)?, text(&l.value)?)));
    Ok(Labels::from_pairs(pairs.collect::<Result<Vec<_>, String>>()?))
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteStore").field("name", &self.name).finish_non_exhaustive()
    }
}
