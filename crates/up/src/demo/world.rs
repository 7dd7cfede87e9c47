//! What happens in a cluster, whoever watches it.

use std::f64::consts::TAU;

use super::chance::{Event, fraction, hash};

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Seconds are counted from here where sines are taken of them.
const ORIGIN_MS: i64 = 1_600_000_000_000;

/// A cluster of four API servers on two nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    pub(super) name: &'static str,
    pub(super) seed: u64,
    /// Requests a second to one server, on average.
    pub(super) load: f64,
}

impl Cluster {
    /// Requests fail and take long.
    pub(super) fn incidents(self) -> Event {
        Event::new(hash(&[self.seed, 10]), DAY_MS, (15 * MINUTE_MS, 70 * MINUTE_MS))
    }

    /// A new version is rolled out at the end of these.
    pub(super) fn deployments(self) -> Event {
        Event::new(hash(&[self.seed, 11]), 3 * DAY_MS, (MINUTE_MS, 2 * MINUTE_MS))
    }
}

/// Requests that arrive somewhere: a mean and waves around it.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    mean: f64,
    /// Amplitude as a part of the mean, seconds of a period, phase.
    waves: [(f64, f64, f64); 5],
}

impl Traffic {
    pub(super) fn new(cluster: Cluster, server: u64) -> Self {
        let wave = |i: u64, amplitude: f64, period: f64| {
            // The day and the week are the same for all servers of a cluster.
            let seed = if i < 2 { hash(&[cluster.seed, 20, i]) } else { hash(&[cluster.seed, 21, server, i]) };
            (amplitude, period, fraction(&[seed]) * TAU)
        };
        let waves = [
            wave(0, 0.45, 86_400.0),
            wave(1, 0.15, 604_800.0),
            wave(2, 0.10, 17_300.0),
            wave(3, 0.08, 2_830.0),
            wave(4, 0.05, 671.0),
        ];
        Self { mean: cluster.load * (0.8 + 0.4 * fraction(&[cluster.seed, 22, server])), waves }
    }

    /// Requests a second at `t`, as a part of the mean.
    pub(super) fn level(&self, t: i64) -> f64 {
        let s = seconds(t);
        1.0 + self.waves.iter().map(|&(a, period, phase)| a * (s * TAU / period + phase).sin()).sum::<f64>()
    }

    /// Requests from a fixed point in the past until `t`: never falls.
    pub(super) fn total(&self, t: i64) -> f64 {
        let s = seconds(t);
        let wave = |&(a, period, phase): &(f64, f64, f64)| a * period / TAU * (s * TAU / period + phase).cos();
        self.mean * (s - self.waves.iter().map(wave).sum::<f64>())
    }
}

fn seconds(t: i64) -> f64 {
    (t - ORIGIN_MS) as f64 / 1000.0
}
