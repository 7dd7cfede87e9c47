//! The series that a script has loaded.

use std::collections::BTreeMap;

use block::Columns;
use engine::testing::Memory;
use model::{CounterResetHint, FloatHistogram, Labels, LabelsBuilder, METRIC_NAME, Span};

use crate::script::Load;
use crate::series::SequenceValue;

#[derive(Clone, Debug)]
enum Stored {
    Float(f64),
    Histogram(Box<FloatHistogram>),
}

/// A value and its start timestamp in Unix milliseconds, 0 for none.
#[derive(Clone, Debug)]
struct Sample {
    value: Stored,
    start: i64,
}

/// Samples by series and time; loading adds to what is there.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    series: BTreeMap<Labels, BTreeMap<i64, Sample>>,
}

impl Storage {
    pub(crate) fn clear(&mut self) {
        self.series.clear();
    }

    pub(crate) fn load(&mut self, load: &Load) {
        for series in &load.series {
            let samples = self.series.entry(series.labels.clone()).or_default();
            let mut t = 0;
            for (i, value) in series.values.iter().enumerate() {
                let value = match value {
                    SequenceValue::Omitted => None,
                    SequenceValue::Float(v) => Some(Stored::Float(*v)),
                    SequenceValue::Histogram { histogram, .. } => Some(Stored::Histogram(histogram.clone())),
                };
                let start = series.starts.get(i).copied().flatten().map_or(0, |start| t + start);
                if let Some(value) = value {
                    samples.insert(t, Sample { value, start });
                }
                t += load.gap_ms;
            }
        }
        if load.with_nhcb {
            for (labels, samples) in convert_classic(load) {
                let known = self.series.entry(labels).or_default();
                known.extend(samples.into_iter().map(|(t, h)| {
                    let value = Stored::Histogram(Box::new(h));
                    (t, Sample { value, start: 0 })
                }));
            }
        }
    }

    /// What the engine reads.
    pub(crate) fn queryable(&self) -> Memory {
        let mut memory = Memory::new();
        for (labels, samples) in &self.series {
            let mut columns = Columns::new();
            for (t, Sample { value, start }) in samples {
                match value {
                    Stored::Float(v) => {
                        columns.t.push(*t);
                        columns.v.push(*v);
                        columns.set_last_start(*start);
                    }
                    Stored::Histogram(h) => {
                        columns.ht.push(*t);
                        columns.h.push((**h).clone());
                        columns.set_last_histogram_start(*start);
                    }
                }
            }
            memory.add(labels.clone(), columns);
        }
        memory
    }
}

/// A classic histogram at one instant.
#[derive(Debug, Default)]
struct Classic {
    /// Cumulative counts by upper bound.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The native histograms with custom buckets that the classic ones of a load make.
fn convert_classic(load: &Load) -> BTreeMap<Labels, BTreeMap<i64, FloatHistogram>> {
    let mut found: BTreeMap<Labels, BTreeMap<i64, Classic>> = BTreeMap::new();
    for series in &load.series {
        let name = series.labels.get(METRIC_NAME).unwrap_or_default();
        let Some((base, part)) = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).map(|base| (base, *suffix)))
        else {
            continue;
        };
        let bound = series.labels.get("le").and_then(|le| le.parse::<f64>().ok()).filter(|le| !le.is_nan());
        if part == "_bucket" && bound.is_none() {
            continue;
        }
        let mut labels = LabelsBuilder::new();
        for (name, value) in series.labels.iter().filter(|(name, _)| *name != "le") {
            labels.set(name, value);
        }
        labels.set(METRIC_NAME, base);
        let histograms = found.entry(labels.build()).or_default();
        for (i, value) in series.values.iter().enumerate() {
            let SequenceValue::Float(v) = value else { continue };
            let t = load.gap_ms * i64::try_from(i).unwrap_or(i64::MAX);
            let classic = histograms.entry(t).or_default();
            match (part, bound) {
                ("_bucket", Some(bound)) => classic.buckets.push((bound, *v)),
                ("_count", _) => classic.count = Some(*v),
                _ => classic.sum = *v,
            }
        }
    }
    let convert = |all: BTreeMap<i64, Classic>| all.into_iter().map(|(t, classic)| (t, classic.convert())).collect();
    found.into_iter().map(|(labels, all)| (labels, convert(all))).collect()
}

impl Classic {
    fn convert(mut self) -> FloatHistogram {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = self.count.or(self.buckets.last().map(|(_, n)| *n)).unwrap_or_default();
        let mut previous = 0.0;
        let (mut bounds, mut counts) = (Vec::new(), Vec::new());
        for (bound, cumulative) in self.buckets.iter().filter(|(bound, _)| bound.is_finite()) {
            bounds.push(*bound);
            counts.push(cumulative - previous);
            previous = *cumulative;
        }
        counts.push(count - previous);
        let length = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        FloatHistogram {
            counter_reset_hint: CounterResetHint::Unknown,
            schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans: [Span { offset: 0, length }].into(),
            positive_buckets: counts,
            custom_values: bounds.into(),
            ..FloatHistogram::default()
        }
    }
}
