//! What is scraped: targets, their series, and the values at a given time.

use model::{Labels, LabelsBuilder};

use super::chance::{Event, fraction, hash};
use super::world::{Cluster, DAY_MS, HOUR_MS, MINUTE_MS, Traffic};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Api,
    Node,
    Kubelet,
}

/// One thing to scrape.
#[derive(Clone, Debug)]
pub(super) struct Target {
    cluster: Cluster,
    kind: Kind,
    number: u64,
    pub(super) seed: u64,
    traffic: Traffic,
    /// Not reachable, and started anew at the end.
    downtimes: Event,
}

/// One series of a target, there in a stretch of time.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// From, to (exclusive), Unix milliseconds.
    pub(super) life: (i64, i64),
    pub(super) value: Value,
}

/// How a value comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Up,
    Requests { share: f64, code: u16 },
    Bucket(usize),
    DurationSum,
    ProcessCpu,
    ProcessMemory,
    StartTime,
    One,
    NodeCpu { user: f64, system: f64, mode: Mode },
    Load,
    MemoryAvailable,
    DiskAvailable,
    Received,
    PodMemory(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Idle,
    User,
    System,
}

/// What a target is at one instant; its values follow from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    t: i64,
    pub(super) up: bool,
    started: i64,
    /// Requests since the start, and those of them during incidents.
    requests: f64,
    troubled: f64,
    level: f64,
    noise: f64,
}

const BOUNDS: [&str; 8] = ["0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
/// The part of requests within each bound, at normal times and in an incident.
const FAST: [f64; 8] = [0.30, 0.62, 0.80, 0.92, 0.97, 0.99, 0.998, 1.0];
const SLOW: [f64; 8] = [0.02, 0.08, 0.20, 0.40, 0.60, 0.80, 0.95, 1.0];

/// All targets of a cluster.
pub(super) fn targets(cluster: Cluster) -> Vec<Target> {
    let kinds = [(Kind::Api, 4), (Kind::Node, 2), (Kind::Kubelet, 2)];
    kinds.into_iter().flat_map(|(kind, n)| (0..n).map(move |i| Target::new(cluster, kind, i))).collect()
}

impl Target {
    fn new(cluster: Cluster, kind: Kind, number: u64) -> Self {
        let seed = hash(&[cluster.seed, kind as u64 + 30, number]);
        let (every_ms, length_ms) = match kind {
            Kind::Api => (2 * DAY_MS + 7 * HOUR_MS, (MINUTE_MS, 8 * MINUTE_MS)),
            Kind::Node => (9 * DAY_MS, (5 * MINUTE_MS, 15 * MINUTE_MS)),
            Kind::Kubelet => (6 * DAY_MS, (MINUTE_MS, 3 * MINUTE_MS)),
        };
        let downtimes = Event::new(hash(&[seed, 1]), every_ms, length_ms);
        Self { cluster, kind, number, seed, traffic: Traffic::new(cluster, number), downtimes }
    }

    /// Its series that live within `from..to`.
    pub(super) fn series(&self, from: i64, to: i64) -> Vec<Series> {
        let mut out = Vec::new();
        let (job, port) = match self.kind {
            Kind::Api => ("api", 8080),
            Kind::Node => ("node", 9100),
            Kind::Kubelet => ("kubelet", 10250),
        };
        let host = if self.kind == Kind::Api { "api" } else { "node" };
        let instance = format!("{host}-{}.{}:{port}", self.number, self.cluster.name);
        let mut add = |name: &str, extra: &[(&str, &str)], life: (i64, i64), value: Value| {
            let mut builder = LabelsBuilder::from_iter([("__name__", name), ("job", job), ("instance", &instance)]);
            for (name, value) in extra {
                builder.set(name, value);
            }
            out.push(Series { labels: builder.build(), life, value });
        };
        let ever = (i64::MIN, i64::MAX);
        add("up", &[], ever, Value::Up);
        match self.kind {
            Kind::Api => {
                for (path, share) in [("/", 0.6), ("/cart", 0.25), ("/login", 0.15)] {
                    for (text, code) in [("200", 200), ("404", 404), ("500", 500)] {
                        let labels = [("path", path), ("code", text)];
                        add("http_requests_total", &labels, ever, Value::Requests { share, code });
                    }
                }
                for (i, le) in BOUNDS.into_iter().enumerate() {
                    add("http_request_duration_seconds_bucket", &[("le", le)], ever, Value::Bucket(i));
                }
                add("http_request_duration_seconds_sum", &[], ever, Value::DurationSum);
                add("http_request_duration_seconds_count", &[], ever, Value::Bucket(BOUNDS.len() - 1));
                add("process_cpu_seconds_total", &[], ever, Value::ProcessCpu);
                add("process_resident_memory_bytes", &[], ever, Value::ProcessMemory);
                add("process_start_time_seconds", &[], ever, Value::StartTime);
                for (n, life) in self.versions(from, to) {
                    add("build_info", &[("version", &format!("1.{n}.0"))], life, Value::One);
                }
            }
            Kind::Node => {
                for (cpu, user, system) in [("0", 0.15, 0.05), ("1", 0.11, 0.04)] {
                    for (text, mode) in [("idle", Mode::Idle), ("user", Mode::User), ("system", Mode::System)] {
                        let value = Value::NodeCpu { user, system, mode };
                        add("node_cpu_seconds_total", &[("cpu", cpu), ("mode", text)], ever, value);
                    }
                }
                add("node_load1", &[], ever, Value::Load);
                add("node_memory_MemAvailable_bytes", &[], ever, Value::MemoryAvailable);
                add("node_filesystem_avail_bytes", &[("mountpoint", "/")], ever, Value::DiskAvailable);
                add("node_network_receive_bytes_total", &[("device", "eth0")], ever, Value::Received);
            }
            Kind::Kubelet => {
                for (n, life) in self.versions(from, to) {
                    for container in ["api", "worker"] {
                        let id = hash(&[self.seed, 40, n as u64, u64::from(container == "api")]);
                        let pod = format!("{container}-{:08x}-{:05x}", id >> 32, id & 0xf_ffff);
                        let labels = [("pod", pod.as_str()), ("container", container)];
                        add("container_memory_working_set_bytes", &labels, life, Value::PodMemory(id));
                    }
                }
            }
        }
        out
    }

    /// The versions that run within `from..to`, each from one deployment to the next.
    fn versions(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, (i64, i64))> {
        let event = self.cluster.deployments();
        let all =
            (event.slot(from) - 1..=event.slot(to)).map(move |k| (k, (event.in_slot(k).1, event.in_slot(k + 1).1)));
        all.filter(move |(_, life)| life.0 < to && from < life.1)
    }

    pub(super) fn is_up(&self, t: i64) -> bool {
        !self.downtimes.is_on(t)
    }

    pub(super) fn state(&self, t: i64) -> State {
        let started = self.downtimes.last_end(t);
        let requests = self.traffic.total(t) - self.traffic.total(started);
        let incidents = self.cluster.incidents().between(started, t);
        let troubled = incidents.map(|(a, b)| self.traffic.total(b.min(t)) - self.traffic.total(a.max(started))).sum();
        let noise = fraction(&[self.seed, 50, (t / 20_000) as u64]) * 2.0 - 1.0;
        State { t, up: self.is_up(t), started, requests, troubled, level: self.traffic.level(t), noise }
    }
}

impl Value {
    /// The value at `state`'s instant.
    pub(super) fn at(self, state: &State) -> f64 {
        let State { t, up, started, requests, troubled, level, noise } = *state;
        let alive = (t - started) as f64 / 1000.0;
        match self {
            Self::Up => f64::from(u8::from(up)),
            Self::One => 1.0,
            Self::StartTime => started as f64 / 1000.0,
            Self::Requests { share, code: 200 } => (share * (0.985 * requests - 0.35 * troubled)).floor(),
            Self::Requests { share, code: 404 } => (share * 0.013 * requests).floor(),
            Self::Requests { share, .. } => (share * (0.002 * requests + 0.35 * troubled)).floor(),
            Self::Bucket(i) if i + 1 == BOUNDS.len() => requests.floor(),
            Self::Bucket(i) => (FAST[i] * (requests - troubled) + SLOW[i] * troubled).floor(),
            Self::DurationSum => round(0.08 * (requests - troubled) + 0.7 * troubled, 1000.0),
            Self::ProcessCpu => round(0.004 * requests + 0.01 * alive, 100.0),
            Self::ProcessMemory => {
                let leaked = 60e6 * (1.0 - (-alive / 86_400.0).exp());
                pages(150e6 + leaked + 40e6 * level + 3e6 * noise)
            }
            Self::NodeCpu { user, system, mode } => {
                let (user, system) = (user * alive + 0.0006 * requests, system * alive + 0.0002 * requests);
                round(
                    match mode {
                        Mode::User => user,
                        Mode::System => system,
                        Mode::Idle => alive - user - system,
                    },
                    100.0,
                )
            }
            Self::Load => round(0.2 + 0.6 * level + 0.1 * noise, 100.0),
            Self::MemoryAvailable => pages(9e9 - 1.8e9 * level + 5e7 * noise),
            Self::DiskAvailable => pages(60e9 - 50e9 * (t.rem_euclid(11 * DAY_MS)) as f64 / (11 * DAY_MS) as f64),
            Self::Received => (1500.0 * requests).floor(),
            Self::PodMemory(id) => pages(90e6 + 60e6 * fraction(&[id]) + 30e6 * level + 4e6 * noise),
        }
    }
}

fn round(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).floor() / per_unit
}

fn pages(bytes: f64) -> f64 {
    (bytes / 4096.0).floor() * 4096.0
}
