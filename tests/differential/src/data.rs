//! The data of a seed: series of every kind that queries treat differently, over 80 minutes that cross
//! the boundary of two blocks.

mod floats;
mod natives;

use block::chunk::Sample;
use model::Labels;

use crate::random::Random;

/// A multiple of two hours in 2023.
pub const BASE_MS: i64 = 1_699_999_200_000;
/// Where blocks begin and end.
pub const BLOCK_MS: i64 = 7_200_000;
/// When the first samples were taken.
pub const START_MS: i64 = BASE_MS + 75 * 60_000;
/// No sample is this late.
pub const END_MS: i64 = START_MS + 80 * 60_000;

/// One series: samples ascending in time.
#[derive(Clone, Debug)]
pub struct Series {
    pub labels: Labels,
    pub samples: Vec<(i64, Sample)>,
}

/// The series of `seed`, sorted by labels, each label set once, none empty.
#[must_use]
pub fn generate(seed: u64) -> Vec<Series> {
    let mut series = Collector { random: Random::new(seed, u64::MAX), series: Vec::new() };
    floats::generate(&mut series);
    natives::generate(&mut series);
    let mut series = series.series;
    series.retain(|s| !s.samples.is_empty());
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    series.dedup_by(|a, b| a.labels == b.labels);
    series
}

struct Collector {
    random: Random,
    series: Vec<Series>,
}

impl Collector {
    /// Adds a series: `labels` as `name=value,…`.
    fn add(&mut self, labels: &str, samples: Vec<(i64, Sample)>) {
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        self.series.push(Series { labels: Labels::from_pairs(pairs), samples });
    }

    fn add_floats(&mut self, labels: &str, samples: Vec<(i64, f64)>) {
        self.add(labels, samples.into_iter().map(|(t, v)| (t, Sample::Float(v))).collect());
    }

    /// When a target was scraped: regular or not, with gaps.
    fn times(&mut self) -> Vec<i64> {
        let random = &mut self.random;
        let interval = *random.pick(&[30_000, 30_000, 30_000, 15_000, 60_000]);
        let phase = if random.chance(50) { 0 } else { random.between(0, interval) };
        let jitter = if random.chance(25) { 400 } else { 0 };
        let (mut times, mut t) = (Vec::new(), START_MS + phase);
        if random.chance(10) {
            t += random.between(0, 30) * 60_000;
        }
        let end = if random.chance(15) { END_MS - random.between(0, 40) * 60_000 } else { END_MS };
        while t < end {
            if !random.chance(4) {
                times.push(t + if jitter > 0 { random.between(-jitter, jitter) } else { 0 });
            }
            // Some gaps are longer than the lookback.
            t += if random.below(200) == 0 { interval * random.between(3, 14) } else { interval };
        }
        times.dedup();
        times
    }
}
