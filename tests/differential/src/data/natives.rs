//! Native histograms: integer and float, counters and gauges, exponential and custom buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use block::chunk::Sample;
use model::histogram::CUSTOM_BUCKETS_SCHEMA;
use model::{CounterResetHint, FloatHistogram, Histogram, STALE_NAN_BITS, Span};

use super::Collector;

pub(super) fn generate(all: &mut Collector) {
    for job in ["a", "b"] {
        for instance in 1..=3 {
            let target = format!("instance={instance},job={job}");
            let samples = series(all, Style { gauge: false, float: false, custom: false });
            all.add(&format!("__name__=nh,{target}"), samples);
        }
        let samples = series(all, Style { gauge: false, float: true, custom: false });
        all.add(&format!("__name__=nh_float,job={job}"), samples);
        let samples = series(all, Style { gauge: true, float: true, custom: false });
        all.add(&format!("__name__=nh_gauge,job={job}"), samples);
        let samples = series(all, Style { gauge: false, float: false, custom: true });
        all.add(&format!("__name__=nhcb,job={job}"), samples);
    }
    // First floats, then histograms, and back.
    for job in ["a", "b"] {
        let mut samples = series(all, Style { gauge: false, float: false, custom: false });
        let from = all.random.below(samples.len());
        let to = from + all.random.below(samples.len() - from);
        for (i, (_, sample)) in samples.iter_mut().enumerate() {
            if !(from..to).contains(&i) || all.random.chance(5) {
                *sample = Sample::Float(i as f64);
            }
        }
        all.add(&format!("__name__=mixed,job={job}"), samples);
    }
}

#[derive(Clone, Copy)]
struct Style {
    gauge: bool,
    float: bool,
    custom: bool,
}

#[derive(Default)]
struct State {
    schema: i32,
    zero_threshold: f64,
    zero: u64,
    positive: BTreeMap<i32, u64>,
    negative: BTreeMap<i32, u64>,
    sum: f64,
    bounds: Arc<[f64]>,
}

fn series(all: &mut Collector, style: Style) -> Vec<(i64, Sample)> {
    let mut state = State {
        schema: if style.custom { CUSTOM_BUCKETS_SCHEMA } else { *all.random.pick(&[0, 1, 3]) },
        zero_threshold: 0.001,
        bounds: if style.custom { bounds(all) } else { Arc::default() },
        ..State::default()
    };
    let negative = !style.custom && all.random.chance(40);
    let markers = all.random.chance(40);
    let scale = if style.float { *all.random.pick(&[1.0, 0.5, 0.1]) } else { 1.0 };
    let times = all.times();
    times
        .into_iter()
        .map(|t| {
            if all.random.chance(2) || (style.gauge && all.random.chance(30)) {
                state.positive.clear();
                state.negative.clear();
                (state.zero, state.sum) = (0, 0.0);
            }
            if all.random.below(60) == 0 {
                if style.custom {
                    state.bounds = bounds(all);
                    state.positive.clear();
                    state.sum = 0.0;
                } else if all.random.chance(50) {
                    state.coarsen(*all.random.pick(&[0, 1, 3]));
                } else {
                    state.zero_threshold = *all.random.pick(&[0.001, 0.1, 0.0]);
                }
            }
            observe(all, &mut state, negative);
            let mut sample = state.sample(style, scale);
            if markers && all.random.chance(3) {
                mark(&mut sample);
            }
            (t, sample)
        })
        .collect()
}

fn bounds(all: &mut Collector) -> Arc<[f64]> {
    let choices: [&[f64]; 3] = [&[0.1, 0.5, 1.0, 5.0], &[0.1, 1.0, 5.0, 25.0], &[-1.0, 0.0, 2.0]];
    Arc::from(*all.random.pick(&choices))
}

fn observe(all: &mut Collector, state: &mut State, negative: bool) {
    for _ in 0..all.random.below(7) {
        if state.schema == CUSTOM_BUCKETS_SCHEMA {
            let bucket = all.random.below(state.bounds.len() + 1);
            *state.positive.entry(bucket as i32).or_default() += 1;
            state.sum += all.random.unit() * 3.0;
            continue;
        }
        let width = 1 << state.schema;
        let index = all.random.between(-2 * width, 4 * width) as i32;
        let value = f64::from(index) / f64::from(width as i32);
        match all.random.below(10) {
            0 => state.zero += 1,
            1..4 if negative => {
                *state.negative.entry(index).or_default() += 1;
                state.sum -= value.exp2();
            }
            _ => {
                *state.positive.entry(index).or_default() += 1;
                state.sum += value.exp2();
            }
        }
    }
}

impl State {
    /// Another resolution; to a finer one the counts begin anew.
    fn coarsen(&mut self, schema: i32) {
        let by = self.schema - schema;
        self.schema = schema;
        for buckets in [&mut self.positive, &mut self.negative] {
            let old = std::mem::take(buckets);
            if by >= 0 {
                for (index, count) in old {
                    *buckets.entry(((index - 1) >> by) + 1).or_default() += count;
                }
            }
        }
        if by < 0 {
            (self.zero, self.sum) = (0, 0.0);
        }
    }

    fn sample(&self, style: Style, scale: f64) -> Sample {
        let hint = if style.gauge { CounterResetHint::Gauge } else { CounterResetHint::Unknown };
        let count = self.zero + self.positive.values().sum::<u64>() + self.negative.values().sum::<u64>();
        let custom = style.custom;
        let (positive_spans, positive) = layout(&self.positive);
        let (negative_spans, negative) = layout(&self.negative);
        if style.float {
            let scaled = |counts: Vec<u64>| counts.into_iter().map(|n| n as f64 * scale).collect();
            return Sample::FloatHistogram(FloatHistogram {
                counter_reset_hint: hint,
                schema: self.schema,
                zero_threshold: if custom { 0.0 } else { self.zero_threshold },
                zero_count: self.zero as f64 * scale,
                count: count as f64 * scale,
                sum: self.sum * scale,
                positive_spans,
                negative_spans,
                positive_buckets: scaled(positive),
                negative_buckets: scaled(negative),
                custom_values: Arc::clone(&self.bounds),
            });
        }
        Sample::Histogram(Histogram {
            counter_reset_hint: hint,
            schema: self.schema,
            zero_threshold: if custom { 0.0 } else { self.zero_threshold },
            zero_count: self.zero,
            count,
            sum: self.sum,
            positive_spans,
            negative_spans,
            positive_buckets: deltas(positive),
            negative_buckets: deltas(negative),
            custom_values: Arc::clone(&self.bounds),
        })
    }
}

fn layout(buckets: &BTreeMap<i32, u64>) -> (Arc<[Span]>, Vec<u64>) {
    let (mut spans, mut next): (Vec<Span>, i32) = (Vec::new(), 0);
    for &index in buckets.keys() {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: index - next, length: 1 }),
        }
        next = index + 1;
    }
    (spans.into(), buckets.values().copied().collect())
}

fn deltas(counts: Vec<u64>) -> Vec<i64> {
    let mut before = 0;
    counts
        .into_iter()
        .map(|count| {
            let delta = count as i64 - before;
            before = count as i64;
            delta
        })
        .collect()
}

fn mark(sample: &mut Sample) {
    let stale = f64::from_bits(STALE_NAN_BITS);
    match sample {
        Sample::Float(v) => *v = stale,
        Sample::Histogram(h) => *h = Histogram { sum: stale, ..Histogram::default() },
        Sample::FloatHistogram(h) => *h = FloatHistogram { sum: stale, ..FloatHistogram::default() },
    }
}
