//! A binary heap that moves its entries as Go's `container/heap` does, so that of equal values the same
//! ones win and come out in the same order as in Prometheus.

use model::Labels;
use xxhash_rust::xxh64::xxh64;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) value: f64,
    pub(super) series: u32,
}

/// What stands on top, to be pushed out first. NaN goes before anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Smallest,
    Largest,
}

impl Order {
    fn before(self, a: f64, b: f64) -> bool {
        a.is_nan()
            || match self {
                Self::Smallest => a < b,
                Self::Largest => a > b,
            }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Heap(Vec<Entry>);

impl Heap {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Adds an entry; it is in.
    pub(super) fn push(&mut self, entry: Entry, order: Order) -> bool {
        self.0.push(entry);
        let mut j = self.0.len() - 1;
        while j > 0 {
            let parent = (j - 1) / 2;
            if !order.before(self.0[j].value, self.0[parent].value) {
                break;
            }
            self.0.swap(parent, j);
            j = parent;
        }
        true
    }

    /// Adds an entry while there are fewer than `k`.
    pub(super) fn push_up_to(&mut self, k: f64, entry: Entry, order: Order) -> bool {
        (self.0.len() as u64) < k as u64 && self.push(entry, order)
    }

    /// Keeps the `k` best: the entry replaces the top if it is better.
    pub(super) fn offer(&mut self, k: f64, entry: Entry, order: Order) -> bool {
        if (self.0.len() as u64) < k as u64 {
            return self.push(entry, order);
        }
        let Some(top) = self.0.first_mut() else { return false };
        let better = match order {
            Order::Smallest => top.value < entry.value,
            Order::Largest => top.value > entry.value,
        };
        let enters = better || (top.value.is_nan() && !entry.value.is_nan());
        if enters {
            *top = entry;
            self.sink(order);
        }
        enters
    }

    fn sink(&mut self, order: Order) {
        let (mut i, n) = (0, self.0.len());
        loop {
            let mut j = 2 * i + 1;
            if j >= n {
                return;
            }
            if j + 1 < n && order.before(self.0[j + 1].value, self.0[j].value) {
                j += 1;
            }
            if !order.before(self.0[j].value, self.0[i].value) {
                return;
            }
            self.0.swap(i, j);
            i = j;
        }
    }

    /// Best first, NaN last, equal ones as they lie.
    pub(super) fn sort(&mut self, order: Order) {
        self.0.sort_by(|a, b| {
            let by_value = match order {
                Order::Smallest => b.value.partial_cmp(&a.value),
                Order::Largest => a.value.partial_cmp(&b.value),
            };
            by_value.unwrap_or_else(|| a.value.is_nan().cmp(&b.value.is_nan()))
        });
    }
}

/// Where in [0, 1) a label set falls for `limit_ratio`: the hash of its bytes as Prometheus lays them
/// out (each string after its length, one byte or 255 and three more).
pub(super) fn sample_offset(labels: &Labels) -> f64 {
    let mut bytes = Vec::with_capacity(256);
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(short) if short < 255 => bytes.push(short),
            _ => {
                bytes.push(255);
                bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    xxh64(&bytes, 0) as f64 / u64::MAX as f64
}

/// Whether a series at `offset` belongs to the share `ratio`; a negative one is the complement.
pub(super) fn in_ratio(ratio: f64, offset: f64) -> bool {
    let ratio = ratio.clamp(-1.0, 1.0);
    if ratio > 0.0 { offset < ratio } else { ratio < 0.0 && offset >= 1.0 + ratio }
}
