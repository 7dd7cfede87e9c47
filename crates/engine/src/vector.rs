//! Evaluated series: a row of values on the step grid each.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{FloatHistogram, Labels, METRIC_NAME, STALE_NAN_BITS};
use request::{MemoryAccount, MemoryLease};

use crate::Error;
use crate::rollup::native;

/// The value of a step that has none: the staleness marker, which no sample that is evaluated and no
/// result of arithmetic (it makes NaNs quiet) ever is.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_NAN_BITS);

#[inline(always)]
pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// Labels that name a metric and its metadata; they go when a result is no longer that metric.
pub(crate) const METADATA_LABELS: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// The labels without the metric's name and metadata.
pub(crate) fn drop_metadata(labels: &Labels) -> Labels {
    if labels.iter().any(|(n, _)| METADATA_LABELS.contains(&n)) {
        Labels::from_sorted(labels.iter().filter(|(n, _)| !METADATA_LABELS.contains(n)))
    } else {
        labels.clone()
    }
}

/// Series with their values, `[series × steps]`, series by series.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) series: Vec<Head>,
    pub(crate) steps: usize,
    pub(crate) values: Vec<f64>,
    lease: MemoryLease,
    /// How much of the lease is for native histograms.
    natives: u64,
}

/// Whose row it is.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) labels: Labels,
    /// The name is to go at the end of the query; set only where name removal is delayed.
    pub(crate) drop_name: bool,
    /// The steps whose value is a native histogram, where there is one at all. Those steps are absent
    /// in the row, so whatever knows floats only passes over them.
    pub(crate) histograms: Option<Histograms>,
}

/// A native histogram or none for each step.
pub(crate) type Histograms = Box<[Option<Arc<FloatHistogram>>]>;

/// How many bytes of memory these take; of what several hold, each has its part.
pub(crate) fn weight(histograms: &Histograms) -> u64 {
    let part = |h: &Arc<FloatHistogram>| (h.bytes() + 16) / Arc::strong_count(h);
    (size_of_val(&**histograms) + histograms.iter().flatten().map(part).sum::<usize>()) as u64
}

impl Head {
    pub(crate) fn new(labels: Labels) -> Self {
        Self { labels, drop_name: false, histograms: None }
    }

    /// The same series with other values: no histograms yet.
    pub(crate) fn bare(&self) -> Self {
        Self { labels: self.labels.clone(), drop_name: self.drop_name, histograms: None }
    }

    /// The histogram at a step.
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.histograms.as_ref().and_then(|h| h[step].as_ref())
    }

    /// Sets the histogram at one of `steps`.
    pub(crate) fn set_histogram(&mut self, step: usize, steps: usize, h: Arc<FloatHistogram>) {
        self.histograms.get_or_insert_with(|| vec![None; steps].into())[step] = Some(h);
    }

    /// Takes away the histograms that `keep` turns down.
    pub(crate) fn retain_histograms(&mut self, keep: impl Fn(usize) -> bool) {
        if let Some(histograms) = &mut self.histograms {
            for (step, h) in histograms.iter_mut().enumerate() {
                if !keep(step) {
                    *h = None;
                }
            }
        }
    }
}

/// What a series costs beside its values: labels, their reference, places in tables.
const HEAD_BYTES: usize = 160;

impl Vector {
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn new(steps: usize, memory: &MemoryAccount) -> Result<Self, Error> {
        Ok(Self { series: Vec::new(), steps, values: Vec::new(), lease: memory.lease(0)?, natives: 0 })
    }

    /// The same once more.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn duplicate(&self, memory: &MemoryAccount) -> Result<Self, Error> {
        let mut copy = Self::new(self.steps, memory)?;
        copy.reserve(self.len())?;
        copy.values.extend_from_slice(&self.values);
        copy.series.extend_from_slice(&self.series);
        copy.pay_natives()?;
        Ok(copy)
    }

    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// How many samples it counts for in the limit on those.
    pub(crate) fn held(&self) -> usize {
        let histograms = self.series.iter().filter_map(|head| head.histograms.as_ref());
        self.values.len() + histograms.flat_map(|h| h.iter().flatten()).map(|h| samples_in(h)).sum::<usize>()
    }

    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.steps..(i + 1) * self.steps]
    }

    pub(crate) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.steps..(i + 1) * self.steps]
    }

    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = (&Head, &[f64])> {
        self.series.iter().enumerate().map(|(i, head)| (head, self.row(i)))
    }

    /// Whether a series has a float or a histogram at a step.
    pub(crate) fn has_value(&self, i: usize, step: usize) -> bool {
        !is_absent(self.row(i)[step]) || self.series[i].histogram(step).is_some()
    }

    /// Takes all histograms away, as functions of floats do.
    pub(crate) fn drop_histograms(&mut self) {
        for head in &mut self.series {
            head.histograms = None;
        }
    }

    /// Appends a series.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn push(&mut self, head: Head, row: &[f64]) -> Result<(), Error> {
        self.reserve(1)?;
        if let Some(histograms) = &head.histograms {
            self.pay_more_natives(weight(histograms))?;
        }
        self.values.extend_from_slice(row);
        self.series.push(head);
        Ok(())
    }

    /// Appends a series without values and gives its row to fill.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn push_absent(&mut self, head: Head) -> Result<&mut [f64], Error> {
        self.reserve(1)?;
        let from = self.values.len();
        self.values.resize(from + self.steps, ABSENT);
        self.series.push(head);
        Ok(&mut self.values[from..])
    }

    /// Makes room for `more` series and pays for it.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), Error> {
        let (cells, heads) = (more.saturating_mul(self.steps), self.series.len() + more);
        if self.values.capacity() - self.values.len() >= cells && self.series.capacity() >= heads {
            return Ok(());
        }
        let cells = (self.values.len() + cells).max(self.values.capacity() * 3 / 2);
        let heads = heads.max(self.series.capacity() * 3 / 2);
        self.lease.resize((cells * 8 + heads * HEAD_BYTES) as u64 + self.natives)?;
        self.values.reserve_exact(cells - self.values.len());
        self.series.reserve_exact(heads - self.series.len());
        Ok(())
    }

    /// Pays for native histograms that come to be held.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn pay_more_natives(&mut self, bytes: u64) -> Result<(), Error> {
        self.lease.grow(bytes)?;
        self.natives += bytes;
        Ok(())
    }

    /// Pays for the native histograms that are held now, and no others.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn pay_natives(&mut self) -> Result<(), Error> {
        let natives = self.series.iter().filter_map(|head| head.histograms.as_ref()).map(weight).sum();
        self.lease.resize(self.lease.bytes() - self.natives + natives)?;
        self.natives = natives;
        Ok(())
    }

    /// Drops series that have no value at any step.
    pub(crate) fn drop_empty(&mut self) {
        let steps = self.steps;
        let values = |i: usize| &self.values[i * steps..(i + 1) * steps];
        let is_empty = |i: usize| native::is_empty(values(i), self.series[i].histograms.as_ref());
        let empty: Vec<bool> = (0..self.series.len()).map(is_empty).collect();
        if !empty.contains(&true) {
            return;
        }
        let mut kept = 0;
        for (i, empty) in empty.into_iter().enumerate() {
            if empty {
                continue;
            }
            if kept != i {
                self.series.swap(kept, i);
                self.values.copy_within(i * steps..(i + 1) * steps, kept * steps);
            }
            kept += 1;
        }
        self.series.truncate(kept);
        self.values.truncate(kept * steps);
    }

    /// Puts the series into another order; `order` holds each index once, or some of them.
    ///
    /// # Errors
    /// When memory is exhausted.
    pub(crate) fn reordered(&self, order: &[usize], memory: &MemoryAccount) -> Result<Self, Error> {
        let mut sorted = Self::new(self.steps, memory)?;
        sorted.reserve(order.len())?;
        for &i in order {
            sorted.push(self.series[i].clone(), self.row(i))?;
        }
        Ok(sorted)
    }

    /// Removes the names, at once or by a mark for the end of the query.
    pub(crate) fn drop_names(&mut self, delayed: bool) {
        for head in &mut self.series {
            if delayed {
                head.drop_name = true;
            } else {
                head.labels = drop_metadata(&head.labels);
            }
        }
    }

    /// Whether two series have the same labels.
    pub(crate) fn has_duplicates(&self) -> bool {
        let mut seen = hashbrown::HashSet::with_capacity(self.series.len());
        self.series.iter().any(|head| !seen.insert(&head.labels))
    }

    /// Joins series of the same labels into one.
    ///
    /// # Errors
    /// When two of them have a value at the same step, or memory is exhausted.
    pub(crate) fn merged(self, memory: &MemoryAccount) -> Result<Self, Error> {
        if !self.has_duplicates() {
            return Ok(self);
        }
        let mut merged = Self::new(self.steps, memory)?;
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for (head, row) in self.rows() {
            let Some(&place) = places.get(&head.labels) else {
                places.insert(head.labels.clone(), merged.len());
                merged.push(head.clone(), row)?;
                continue;
            };
            for (step, &v) in row.iter().enumerate() {
                let histogram = head.histogram(step);
                if is_absent(v) && histogram.is_none() {
                    continue;
                }
                if merged.has_value(place, step) {
                    return Err(same_labels());
                }
                match histogram {
                    Some(h) => merged.series[place].set_histogram(step, self.steps, Arc::clone(h)),
                    None => merged.row_mut(place)[step] = v,
                }
            }
        }
        Ok(merged)
    }
}

/// How many samples of 16 bytes a native histogram counts for, as in Prometheus.
pub(crate) fn samples_in(h: &FloatHistogram) -> usize {
    let buckets = h.positive_buckets.len() + h.negative_buckets.len() + h.custom_values.len();
    let spans = h.positive_spans.len() + h.negative_spans.len();
    (168 + 8 * (buckets + spans) + 8) / 16
}

/// Two results would carry the same labels.
pub(crate) fn same_labels() -> Error {
    Error::Execution("vector cannot contain metrics with the same labelset".to_owned())
}
