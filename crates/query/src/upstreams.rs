//! The stores behind the addresses of the flags, which come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::{Shell, TaskHandle};
use discovery::{Dns, Targets};
use futures::future::join_all;
use model::{Labels, Matcher};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use rpc::{ClientTls, Compression, RemoteSettings, RemoteStore};
use store::{Endpoints, Proxy, ProxyOptions, Store, StoreInfo, StoreKind};

use crate::querier::{Upstreams, status};

/// How often the list of healthy stores is brought up to date.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// How stores are found and asked.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSettings {
    pub(crate) dns_interval: Duration,
    /// A store that has failed for so long is no longer asked nor shown.
    pub(crate) unhealthy_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) tls: Option<ClientTls>,
    pub(crate) compression: Compression,
    /// Addresses whose stores are asked however long they have failed.
    pub(crate) strict: Vec<String>,
}

/// Remote stores, with a proxy over those that are healthy or have failed only lately.
#[derive(Debug)]
pub(crate) struct Remotes {
    shell: Shell,
    settings: UpstreamSettings,
    endpoints: Arc<Endpoints>,
    proxy: Proxy,
    members: Mutex<BTreeMap<String, Member>>,
    /// Labels that several sidecars share, so that each is named once.
    shared_labels: Mutex<BTreeSet<String>>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Member {
    store: Arc<RemoteStore>,
    /// Asks it every few seconds what it has; ends with the member.
    _watch: TaskHandle<()>,
    good_at: Instant,
}

#[derive(Clone, Debug, Default)]
struct Metrics {
    connections: Family<ConnectionLabels, Gauge>,
    lookups: Counter,
    failures: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    external_labels: String,
    store_type: &'static str,
}

impl Remotes {
    pub(crate) fn new(shell: &Shell, settings: UpstreamSettings) -> Self {
        let endpoints = Arc::new(Endpoints::default());
        let options = ProxyOptions {
            name: "query".to_owned(),
            response_timeout: settings.response_timeout,
            ..ProxyOptions::default()
        };
        let metrics = Metrics::default();
        shell.metrics().register(|r| {
            let connections = metrics.connections.clone();
            r.register("thanos_store_nodes_grpc_connections", "Stores that are connected", connections);
            let name = |what: &str| format!("thanos_query_endpoints_dns_{what}");
            r.register(name("lookups"), "Lookups of the names of stores", metrics.lookups.clone());
            r.register(name("failures"), "Lookups of the names of stores that failed", metrics.failures.clone());
        });
        let proxy = Proxy::new(Arc::clone(&endpoints), options);
        Self {
            shell: shell.clone(),
            settings,
            endpoints,
            proxy,
            members: Mutex::default(),
            shared_labels: Mutex::default(),
            metrics,
        }
    }

    /// A store over all of them.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Looks names up and follows the stores' health, until it is dropped. `first` is called once all
    /// stores known at the start have answered or failed.
    pub(crate) async fn follow(&self, mut targets: Targets, dns: Option<Dns>, first: impl FnOnce()) {
        self.look_up(&mut targets, dns.as_ref()).await;
        let stores: Vec<_> = self.members.lock().values().map(|m| Arc::clone(&m.store)).collect();
        join_all(stores.iter().map(|s| s.refresh())).await;
        self.update();
        first();
        let mut next_lookup = Instant::now() + self.settings.dns_interval;
        loop {
            tokio::time::sleep(HEALTH_INTERVAL.min(self.settings.dns_interval)).await;
            if Instant::now() >= next_lookup {
                self.look_up(&mut targets, dns.as_ref()).await;
                next_lookup = Instant::now() + self.settings.dns_interval;
            }
            self.update();
        }
    }

    async fn look_up(&self, targets: &mut Targets, dns: Option<&Dns>) {
        if let Some(dns) = dns {
            self.metrics.lookups.inc();
            let failures = targets.refresh(dns).await;
            self.metrics.failures.inc_by(failures.len() as u64);
        }
        let current = targets.current();
        let mut members = self.members.lock();
        members.retain(|address, _| current.contains(address));
        for address in current {
            if members.contains_key(&address) {
                continue;
            }
            match self.connect(&address) {
                Ok(member) => {
                    members.insert(address, member);
                }
                Err(e) => tracing::error!(address, err = %e, "this store cannot be asked"),
            }
        }
    }

    fn connect(&self, address: &str) -> Result<Member, rpc::Error> {
        let store = Arc::new(RemoteStore::new(RemoteSettings {
            address: address.to_owned(),
            tls: self.settings.tls.clone(),
            compression: self.settings.compression,
            clock: daemon::now_ms,
        })?);
        let watch = Arc::clone(&store).watch();
        let shutdown = self.shell.shutdown().clone();
        let watch = self.shell.tasks().run(&format!("watch of store {address}"), async move {
            tokio::select! {
                () = watch => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(Member { store, _watch: watch, good_at: Instant::now() })
    }

    /// Lets queries ask what is healthy or has failed only lately.
    fn update(&self) {
        let now = Instant::now();
        let mut members = self.members.lock();
        let mut asked: Vec<Arc<dyn Store>> = Vec::new();
        self.metrics.connections.clear();
        for (address, member) in members.iter_mut() {
            if member.store.status().last_error.is_none() {
                member.good_at = now;
                let info = member.store.info();
                let sets: Vec<String> = info.extents.iter().map(|e| e.labels.to_string()).collect();
                let labels = ConnectionLabels { external_labels: sets.join(""), store_type: info.kind.as_str() };
                self.metrics.connections.get_or_create(&labels).inc();
            }
            let lately = now.duration_since(member.good_at) < self.settings.unhealthy_timeout;
            if lately || self.settings.strict.contains(address) {
                asked.push(Arc::clone(&member.store) as Arc<dyn Store>);
            }
        }
        self.name_shared_labels(&asked);
        self.endpoints.set(asked);
    }

    /// Says so, once, where sidecars share external labels.
    fn name_shared_labels(&self, asked: &[Arc<dyn Store>]) {
        let infos: Vec<_> = asked.iter().map(|s| s.info()).collect();
        let mut named = self.shared_labels.lock();
        for shared in shared_labels(&infos) {
            if named.insert(shared.labels.clone()) {
                tracing::warn!(
                    external_labels = shared.labels,
                    first = shared.first,
                    second = shared.second,
                    "two sidecars have the same external labels, so their series are taken for the same: give \
                     each Prometheus its own, for example a label replica"
                );
            }
        }
    }
}

/// Labels that two sidecars have.
#[derive(Debug, PartialEq, Eq)]
struct SharedLabels {
    labels: String,
    first: String,
    second: String,
}

/// Two Prometheus servers with the same external labels are taken for one; that is hardly ever meant.
fn shared_labels(infos: &[Arc<StoreInfo>]) -> Vec<SharedLabels> {
    let mut first_with = BTreeMap::new();
    let mut shared = Vec::new();
    for info in infos.iter().filter(|i| i.kind == StoreKind::Sidecar) {
        // A sidecar can have several extents of the same labels.
        let own: BTreeSet<String> = info.extents.iter().map(|e| e.labels.to_string()).collect();
        for labels in own {
            match first_with.get(&labels) {
                None => drop(first_with.insert(labels, &info.name)),
                Some(first) => {
                    shared.push(SharedLabels { labels, first: (*first).clone(), second: info.name.clone() });
                }
            }
        }
    }
    shared
}

impl Upstreams for Remotes {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.proxy.clone())
    }

    fn restricted(&self, sets: &[Vec<Matcher>]) -> Arc<dyn Store> {
        Arc::new(self.proxy.matching(sets.to_vec()))
    }

    fn statuses(&self) -> Vec<(&'static str, api::StoreStatus)> {
        let asked = self.endpoints.get();
        let members = self.members.lock();
        let shown = members.iter().filter(|(address, _)| asked.iter().any(|s| s.info().name == **address));
        shown
            .map(|(_, member)| {
                let (info, health) = (member.store.info(), member.store.status());
                (info.kind.as_str(), status(&info, health.last_check_ms, health.last_error))
            })
            .collect()
    }
}

/// A store that adds labels to what it says of itself (`--selector-label`).
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) store: Proxy,
    pub(crate) labels: Labels,
}

#[async_trait::async_trait]
impl Store for Announced {
    fn info(&self) -> Arc<StoreInfo> {
        let mut info = self.store.info();
        if !self.labels.is_empty() {
            for extent in &mut Arc::make_mut(&mut info).extents {
                extent.labels = Labels::from_pairs(extent.labels.iter().chain(&self.labels));
            }
        }
        info
    }

    fn series(
        &self,
        cx: &request::Context,
        request: store::SeriesRequest,
    ) -> futures::stream::BoxStream<'static, store::Result<store::Frame>> {
        self.store.series(cx, request)
    }

    async fn label_names(&self, cx: &request::Context, request: store::LabelsRequest) -> store::Result<store::Names> {
        self.store.label_names(cx, request).await
    }

    async fn label_values(&self, cx: &request::Context, request: store::LabelsRequest) -> store::Result<store::Names> {
        self.store.label_values(cx, request).await
    }
}

#[cfg(test)]
mod tests;
