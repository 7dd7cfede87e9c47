use std::sync::Arc;

use block::{Columns, Corrupt};
use futures::stream::{self, BoxStream, StreamExt};
use model::{CounterResetHint, FloatHistogram, LabelTable, LabelTableBuilder, Labels, LabelsRef};
use request::Context;

use crate::native::is_reset;
use crate::{Encoded, Error, Queryable, Select};

/// Series in memory, already decoded. For tests and for scripts of the test language.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Sorted by labels, each once.
    series: Vec<(Labels, Arc<Columns>)>,
    batch: usize,
}

impl Memory {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many series a batch holds at most; 0 for all of them.
    #[must_use]
    pub fn with_batches_of(mut self, series: usize) -> Self {
        self.batch = series;
        self
    }

    /// Adds a series, or samples after those that the series has. Reset hints of counter histograms are
    /// set as storage finds them.
    pub fn add(&mut self, labels: Labels, columns: Columns) {
        match self.series.binary_search_by(|(known, _)| known.cmp(&labels)) {
            Ok(i) => {
                let known = Arc::make_mut(&mut self.series[i].1);
                known.t.extend(columns.t);
                known.v.extend(columns.v);
                known.ht.extend(columns.ht);
                known.h.extend(columns.h);
                for (known, new, len) in
                    [(&mut known.st, columns.st, known.t.len()), (&mut known.hst, columns.hst, known.ht.len())]
                {
                    if !new.is_empty() {
                        known.resize(len - new.len(), 0);
                        known.extend(new);
                    }
                }
                known.level_starts();
                set_hints(known);
            }
            Err(i) => {
                let mut columns = columns;
                set_hints(&mut columns);
                self.series.insert(i, (labels, Arc::new(columns)));
            }
        }
    }

    /// Adds a series of floats: `(time in milliseconds, value)`, ascending.
    pub fn add_floats(&mut self, labels: Labels, samples: impl IntoIterator<Item = (i64, f64)>) {
        let (t, v) = samples.into_iter().unzip();
        self.add(labels, Columns { t, v, ..Columns::default() });
    }
}

/// What a TSDB tells of stored samples: within a run of histograms there is no reset; of what begins a
/// run nothing is known. A reset, a float or a staleness marker ends a run.
fn set_hints(columns: &mut Columns) {
    let mut before: Option<FloatHistogram> = None;
    let mut floats = columns.t.iter().copied().peekable();
    for (&t, h) in columns.ht.iter().zip(&mut columns.h) {
        while floats.next_if(|&float| float < t).is_some() {
            before = None;
        }
        if !matches!(h.counter_reset_hint, CounterResetHint::Gauge | CounterResetHint::CounterReset) {
            h.counter_reset_hint = CounterResetHint::Unknown;
            if before.as_ref().is_some_and(|before| !is_reset(h, before)) {
                h.counter_reset_hint = CounterResetHint::NotCounterReset;
            }
        }
        let ends = h.is_stale() || h.counter_reset_hint == CounterResetHint::Gauge;
        before = (!ends).then(|| h.clone());
    }
}

impl Queryable for Memory {
    fn select(&self, _: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>> {
        let mut table = LabelTableBuilder::new();
        let matched = |labels: &Labels| {
            select.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
        };
        let found: Vec<&(Labels, Arc<Columns>)> = self.series.iter().filter(|(labels, _)| matched(labels)).collect();
        let size = if self.batch == 0 { found.len().max(1) } else { self.batch };
        let batches: Vec<Result<Box<dyn Encoded>, Error>> = found
            .chunks(size)
            .map(|chunk| {
                for (labels, _) in chunk {
                    table.push(labels);
                }
                let columns = chunk.iter().map(|(_, columns)| Arc::clone(columns)).collect();
                let batch = Batch { labels: std::mem::take(&mut table).finish(), columns };
                Ok(Box::new(batch) as Box<dyn Encoded>)
            })
            .collect();
        stream::iter(batches).boxed()
    }
}

#[derive(Debug)]
struct Batch {
    labels: LabelTable,
    columns: Vec<Arc<Columns>>,
}

impl Encoded for Batch {
    fn len(&self) -> usize {
        self.columns.len()
    }

    fn labels(&self, i: usize) -> LabelsRef<'_> {
        self.labels.get(i)
    }

    fn decode(&self, i: usize, out: &mut Columns) -> Result<(), Corrupt> {
        out.clone_from(&self.columns[i]);
        Ok(())
    }
}
