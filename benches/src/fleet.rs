//! The synthetic fleet that the benchmarks query: the series and the samples, as pure functions of
//! the profile and a seed.
//!
//! Per instance: `up`, `process_cpu_seconds_total`, `process_resident_memory_bytes`, `target_info`; per
//! path `http_requests_total` by 3 codes, `http_request_duration_seconds` with 8 buckets, sum and count,
//! and one `container_memory_working_set_bytes` whose pod changes every 6 h. Counters grow by 0.2–40 a
//! second and reset about every 7 h; gauges wander; timestamps jitter by ±4 ms; each replica has its own
//! offset and misses ten minutes in every five hours.

use model::Labels;

const PATHS: [&str; 4] = ["/", "/api/items", "/api/users", "/login"];
const CODES: [&str; 3] = ["200", "404", "500"];
const BOUNDS: [&str; 8] = ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"];
const TICK_MS: i64 = 5_000;
const HOUR_MS: i64 = 3_600_000;
/// The length of a block.
pub const BLOCK_MS: i64 = 2 * HOUR_MS;

/// How much of it to make.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub instances: u32,
    pub hours: i64,
    pub scrape_ms: i64,
    /// Start of the data, a multiple of 2 h in Unix milliseconds.
    pub start_ms: i64,
}

impl Profile {
    /// The fleet of `benches/README.md`: 24 000 series, 15 s, 24 h.
    pub const FULL: Self = Self { instances: 400, hours: 24, scrape_ms: 15_000, start_ms: 1_768_435_200_000 };
    /// A tenth of the instances, for quick runs.
    pub const SMALL: Self = Self { instances: 40, ..Self::FULL };

    /// The profile of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> anyhow::Result<Self> {
        match name {
            "full" => Ok(Self::FULL),
            "small" => Ok(Self::SMALL),
            other => anyhow::bail!("unknown profile {other:?}: use full or small"),
        }
    }

    #[must_use]
    pub const fn end_ms(&self) -> i64 {
        self.start_ms + self.hours * HOUR_MS
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Up,
    Info,
    /// Grows by whole numbers; `weight` scales the rate, `buckets` adds up that many streams.
    Counter {
        rate: f64,
        streams: u32,
    },
    /// A counter in fractions of a second.
    Seconds {
        rate: f64,
    },
    Gauge {
        base: f64,
    },
}

/// One series and where its values stand.
#[derive(Debug)]
pub struct Series {
    pub labels: Labels,
    kind: Kind,
    seed: u64,
    /// Blocks in which it lives, half open, counted from the start.
    lives: std::ops::Range<i64>,
    level: f64,
    reset_in_ticks: i64,
}

/// All series of the fleet, sorted by labels.
#[must_use]
pub fn series(profile: &Profile) -> Vec<Series> {
    let mut all = Vec::new();
    for i in 0..profile.instances {
        let instance = format!("10.0.{}.{}:8080", i / 250, i % 250);
        series_of_instance(profile, i, &instance, &mut all);
    }
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all
}

fn series_of_instance(profile: &Profile, i: u32, instance: &str, all: &mut Vec<Series>) {
    let blocks = (profile.hours * HOUR_MS) / BLOCK_MS;
    let mut push = |name: &str, more: &[(&str, &str)], kind: Kind, lives: std::ops::Range<i64>, seed: u64| {
        let labels = Labels::from_pairs(
            [("__name__", name), ("instance", instance), ("job", "api")].iter().chain(more).map(|&(n, v)| (n, v)),
        );
        all.push(Series { labels, kind, seed, lives, level: 0.0, reset_in_ticks: next_reset(seed, 0) });
    };
    let seed = mix(u64::from(i) + 1);
    push("up", &[], Kind::Up, 0..blocks, seed);
    push(
        "target_info",
        &[("version", "1.4.2"), ("zone", ["a", "b", "c"][i as usize % 3])],
        Kind::Info,
        0..blocks,
        seed,
    );
    push("process_cpu_seconds_total", &[], Kind::Seconds { rate: 0.2 + unit(seed) }, 0..blocks, seed ^ 11);
    push("process_resident_memory_bytes", &[], Kind::Gauge { base: 3e8 }, 0..blocks, seed ^ 12);
    for (p, path) in PATHS.iter().enumerate() {
        let seed = mix(seed ^ (p as u64 + 100));
        for (c, code) in CODES.iter().enumerate() {
            let rate = [40.0, 4.0, 0.4][c] * (0.5 + 0.5 * unit(seed ^ c as u64));
            let kind = Kind::Counter { rate, streams: 1 };
            push("http_requests_total", &[("code", code), ("path", path)], kind, 0..blocks, mix(seed ^ (c as u64 + 7)));
        }
        let rate = 0.4 + 4.0 * unit(seed ^ 55);
        for (b, le) in BOUNDS.iter().enumerate() {
            let kind = Kind::Counter { rate, streams: b as u32 + 1 };
            push("http_request_duration_seconds_bucket", &[("le", le), ("path", path)], kind, 0..blocks, seed);
        }
        let kind = Kind::Counter { rate, streams: BOUNDS.len() as u32 };
        push("http_request_duration_seconds_count", &[("path", path)], kind, 0..blocks, seed);
        push(
            "http_request_duration_seconds_sum",
            &[("path", path)],
            Kind::Seconds { rate: rate * 0.3 },
            0..blocks,
            seed ^ 9,
        );
        for (n, first) in (0..blocks).step_by(3).enumerate() {
            let pod = format!("api-{i}-{p}-{:05x}", mix(seed ^ n as u64) & 0xf_ffff);
            let kind = Kind::Gauge { base: 2e8 };
            let life = first..(first + 3).min(blocks);
            push(
                "container_memory_working_set_bytes",
                &[("path", path), ("pod", &pod)],
                kind,
                life,
                seed ^ (n as u64 + 77),
            );
        }
    }
}

impl Series {
    /// The samples of block `block` (counted from the start) for each of `replicas` replicas. Must be
    /// called for the blocks in order: counters go on where they stood.
    pub fn block(&mut self, profile: &Profile, block: i64, replicas: u32, out: &mut [(Vec<i64>, Vec<f64>)]) {
        for (t, v) in out.iter_mut() {
            t.clear();
            v.clear();
        }
        if !self.lives.contains(&block) {
            return;
        }
        let start = profile.start_ms + block * BLOCK_MS;
        let first_tick = block * (BLOCK_MS / TICK_MS);
        let values = self.ticks(first_tick);
        for (replica, (t, v)) in (0..replicas).zip(out.iter_mut()) {
            let offset = 1_000 + i64::from(replica) * (profile.scrape_ms / 2) + (self.target_hash() % 900) as i64;
            let mut at = start + offset;
            while at < start + BLOCK_MS {
                let jitter = (mix(self.seed ^ at as u64 ^ u64::from(replica)) % 9) as i64 - 4;
                if !outage(at, replica) {
                    t.push(at + jitter);
                    v.push(values[((at - start) / TICK_MS) as usize]);
                }
                at += profile.scrape_ms;
            }
        }
    }

    fn target_hash(&self) -> u64 {
        let instance = self.labels.get("instance").unwrap_or("");
        instance.bytes().fold(0, |h, b| mix(h ^ u64::from(b)))
    }

    /// The value at each tick of one block.
    fn ticks(&mut self, first: i64) -> Vec<f64> {
        let n = BLOCK_MS / TICK_MS;
        let seconds = TICK_MS as f64 / 1000.0;
        let seed = self.seed;
        (first..first + n)
            .map(|tick| {
                let noise = |stream: u64| unit(mix(seed ^ mix(stream)) ^ mix(tick as u64));
                match self.kind {
                    Kind::Up | Kind::Info => 1.0,
                    Kind::Gauge { base } => {
                        if self.level == 0.0 {
                            self.level = base * (0.5 + noise(1));
                        }
                        if noise(2) > 0.6 {
                            self.level = (self.level + (noise(3) - 0.5) * base * 0.01).max(4096.0);
                        }
                        (self.level / 4096.0).floor() * 4096.0
                    }
                    Kind::Counter { rate, streams } => {
                        self.reset(tick);
                        self.level +=
                            (0..streams).map(|s| (rate * seconds * 2.0 * noise(u64::from(s))).round()).sum::<f64>();
                        self.level
                    }
                    Kind::Seconds { rate } => {
                        self.reset(tick);
                        self.level += rate * seconds * noise(4) * 2.0;
                        self.level
                    }
                }
            })
            .collect()
    }

    fn reset(&mut self, tick: i64) {
        if tick >= self.reset_in_ticks {
            self.level = 0.0;
            self.reset_in_ticks = next_reset(self.seed, tick);
        }
    }
}

/// A reset about every 7 h.
fn next_reset(seed: u64, tick: i64) -> i64 {
    tick + ((5.0 + 4.0 * unit(seed ^ tick as u64)) * HOUR_MS as f64) as i64 / TICK_MS
}

/// Ten minutes in every five hours, at another time for each replica.
fn outage(t: i64, replica: u32) -> bool {
    (t + i64::from(replica) * 2 * HOUR_MS + 30 * 60_000) % (5 * HOUR_MS) < 10 * 60_000
}

fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn unit(seed: u64) -> f64 {
    (mix(seed) >> 11) as f64 / (1_u64 << 53) as f64
}
