//! The zero bucket: two histograms are added over the wider of theirs.

use std::cmp::Ordering;

use model::histogram::bound;

use super::{Native, Sum};

impl Native {
    /// Widens the zero bucket of either until both are the same.
    pub(super) fn widen_zero_buckets(&mut self, other: &mut Self, kahan: bool) {
        // Thresholds that cannot be compared would never agree.
        while let Some(order) = self.zero_threshold.partial_cmp(&other.zero_threshold) {
            match order {
                Ordering::Equal => return,
                Ordering::Greater => other.widen_zero(self.zero_threshold, kahan),
                Ordering::Less => self.widen_zero(other.zero_threshold, kahan),
            }
        }
    }

    /// Takes the buckets below `threshold` into the zero bucket.
    fn widen_zero(&mut self, threshold: f64, kahan: bool) {
        let (zero, threshold) = self.zero_for(threshold, kahan);
        self.zero = zero;
        self.zero_threshold = threshold;
        let schema = self.schema;
        let outside = |index: i32| bound(index.wrapping_sub(1), schema, &[]) >= threshold;
        self.positive.retain(|(index, _)| outside(*index));
        self.negative.retain(|(index, _)| outside(*index));
    }

    /// The zero bucket for a larger threshold, and that threshold raised to the end of any populated
    /// bucket that it would cut.
    pub(super) fn zero_for(&self, mut threshold: f64, kahan: bool) -> (Sum, f64) {
        if threshold == self.zero_threshold {
            return (self.zero, threshold);
        }
        'again: loop {
            let mut zero = self.zero;
            for (side, again) in [(&self.positive, false), (&self.negative, true)] {
                for &(index, count) in side {
                    if bound(index.wrapping_sub(1), self.schema, &[]) >= threshold {
                        break;
                    }
                    zero.add(count, kahan);
                    let upper = bound(index, self.schema, &[]);
                    if upper > threshold {
                        if count.total() != 0.0 {
                            threshold = upper;
                            // What was found of the positive side does not hold any more.
                            if again {
                                continue 'again;
                            }
                        }
                        break;
                    }
                }
            }
            return (zero, threshold);
        }
    }
}
