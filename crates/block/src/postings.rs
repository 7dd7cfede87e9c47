//! Lists of series: set operations, and the series that matchers select.

mod select;
mod source;
mod union;

use crate::Corrupt;

pub use select::{ListsRead, Selected, select, select_within};
pub(crate) use select::{Stop, select_from};
pub(crate) use source::Source;
pub(crate) use union::Union;

/// A list of series references as it stands in the file: ascending, big-endian.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postings<'a> {
    bytes: &'a [u8],
}

impl<'a> Postings<'a> {
    /// `bytes` is a multiple of four long.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reference `i`, or `None` past the end.
    #[inline]
    #[must_use]
    pub fn get(&self, i: usize) -> Option<u32> {
        let bytes = self.bytes.get(i * 4..i * 4 + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.bytes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    #[must_use]
    pub fn to_vec(&self) -> Vec<u32> {
        self.iter().collect()
    }

    /// Verifies that the members ascend strictly.
    pub(crate) fn check_order(&self) -> Result<(), Corrupt> {
        let mut last = None;
        for (i, reference) in self.iter().enumerate() {
            if last.is_some_and(|last| last >= reference) {
                return Err(Corrupt::new(0, format!("entry {i} of a list of series does not ascend")));
            }
            last = Some(reference);
        }
        Ok(())
    }

    /// The members, which are verified to ascend strictly: every set operation relies on it.
    pub(crate) fn to_sorted(self) -> Result<Vec<u32>, Corrupt> {
        /// Bytes that stay in the nearest cache from one pass to the next.
        const AT_ONCE: usize = 4096;
        let mut members: Vec<u32> = Vec::with_capacity(self.len());
        for part in self.bytes.chunks(AT_ONCE) {
            let before = members.len().saturating_sub(1);
            members.extend(Self::new(part).iter());
            // Without a way out in the middle the loop is done in wide registers.
            let falls = members[before..].windows(2).fold(false, |falls, pair| falls | (pair[0] >= pair[1]));
            if falls {
                let i = members.windows(2).position(|pair| pair[0] >= pair[1]).map_or(0, |i| i + 1);
                return Err(Corrupt::new(0, format!("entry {i} of a list of series does not ascend")));
            }
        }
        Ok(members)
    }

    /// The members of `sorted` that are in the list (`keep`), or those that are not.
    fn filter(&self, sorted: &mut Vec<u32>, keep: bool) {
        let mut position = 0;
        sorted.retain(|&reference| {
            position = self.seek(position, reference);
            (self.get(position) == Some(reference)) == keep
        });
    }

    /// The first position from `start` on whose reference is at least `reference`: in steps that double.
    fn seek(&self, start: usize, reference: u32) -> usize {
        let below = |i: usize| self.get(i).is_some_and(|r| r < reference);
        let (mut low, mut step) = (start, 1);
        while below(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(self.len());
        while low < high {
            let middle = low.midpoint(high);
            if below(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Members of both ascending lists.
#[must_use]
pub fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut rest = large;
    let mut both = Vec::with_capacity(small.len());
    for &reference in small {
        rest = &rest[gallop(rest, reference)..];
        if rest.first() == Some(&reference) {
            both.push(reference);
        }
    }
    both
}

/// Members of the first ascending list that are not in the second.
#[must_use]
pub fn subtract(from: &[u32], other: &[u32]) -> Vec<u32> {
    let mut rest = other;
    let keep = |&&reference: &&u32| {
        rest = &rest[gallop(rest, reference)..];
        rest.first() != Some(&reference)
    };
    from.iter().filter(keep).copied().collect()
}

/// Members of either ascending list, ascending, each once.
#[must_use]
pub fn union(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut either = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        either.push(a[i].min(b[j]));
        let (x, y) = (a[i], b[j]);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    either.extend_from_slice(&a[i..]);
    either.extend_from_slice(&b[j..]);
    either
}

/// How many members of an ascending list lie below `reference`.
fn gallop(list: &[u32], reference: u32) -> usize {
    let mut step = 1;
    while step <= list.len() && list[step - 1] < reference {
        step *= 2;
    }
    let low = step / 2;
    low + list[low..list.len().min(step)].partition_point(|&r| r < reference)
}
