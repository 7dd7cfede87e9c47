//! The servers that watch the clusters, and what each has scraped.

use model::{Labels, STALE_NAN_BITS};

use super::chance::{Event, hash};
use super::target::{Target, targets};
use super::world::{Cluster, DAY_MS, HOUR_MS, MINUTE_MS};

/// The scrape interval of every source.
pub(crate) const SCRAPE_MS: i64 = 30_000;

/// A Prometheus server of the demo.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) external: Labels,
    seed: u64,
    targets: Vec<Target>,
    /// It does not run.
    outages: Event,
}

/// What a source has of one series in a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DemoSeries {
    /// Without external labels.
    pub(crate) labels: Labels,
    /// Ascending Unix milliseconds.
    pub(crate) t: Vec<i64>,
    pub(crate) v: Vec<f64>,
}

/// An HA pair in one cluster and a single server in another.
pub(crate) fn sources() -> Vec<Source> {
    let eu = Cluster { name: "eu", seed: 1, load: 40.0 };
    let us = Cluster { name: "us", seed: 2, load: 15.0 };
    vec![Source::new(eu, "a", 101), Source::new(eu, "b", 102), Source::new(us, "a", 103)]
}

impl Source {
    fn new(cluster: Cluster, replica: &str, seed: u64) -> Self {
        // Those of a pair never overlap, so that one of the two is always there.
        let outages = Event::new(hash(&[seed, 1]), 2 * DAY_MS + 5 * HOUR_MS, (8 * MINUTE_MS, 6 * HOUR_MS));
        let outages = outages.mostly_short().in_half(replica == "b");
        let external = Labels::from_pairs([("cluster", cluster.name), ("replica", replica)]);
        Self { external, seed, targets: targets(cluster), outages }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    fn runs(&self, t: i64) -> bool {
        !self.outages.is_on(t)
    }

    /// All samples in `from..to`, by labels; series without any are left out.
    pub(crate) fn scrape(&self, from: i64, to: i64) -> Vec<DemoSeries> {
        let mut all: Vec<_> = self.targets.iter().flat_map(|target| self.scrape_target(target, from, to)).collect();
        all.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        all
    }

    fn scrape_target(&self, target: &Target, from: i64, to: i64) -> Vec<DemoSeries> {
        let series = target.series(from - SCRAPE_MS, to);
        let mut out: Vec<_> =
            series.iter().map(|s| DemoSeries { labels: s.labels.clone(), t: vec![], v: vec![] }).collect();
        let offset = (hash(&[self.seed, target.seed]) % SCRAPE_MS as u64) as i64;
        let first = from + (offset - from).rem_euclid(SCRAPE_MS);
        let mut t = first;
        while t < to {
            if self.runs(t) {
                let state = target.state(t);
                let (before, was_up) = (t - SCRAPE_MS, target.is_up(t - SCRAPE_MS) && self.runs(t - SCRAPE_MS));
                for (series, out) in series.iter().zip(&mut out) {
                    let lives = |t: i64| (series.life.0..series.life.1).contains(&t);
                    let always = series.value == super::target::Value::Up;
                    if always || (state.up && lives(t)) {
                        out.t.push(t);
                        out.v.push(series.value.at(&state));
                    } else if was_up && lives(before) {
                        // It was there at the last scrape and is not at this one.
                        out.t.push(t);
                        out.v.push(f64::from_bits(STALE_NAN_BITS));
                    }
                }
            }
            t += SCRAPE_MS;
        }
        out.retain(|s| !s.t.is_empty());
        out
    }
}
