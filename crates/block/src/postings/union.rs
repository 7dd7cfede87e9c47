use super::Postings;
use crate::Corrupt;

/// Below so many members a sort is cheaper than a bitmap over all series.
const SORT_MAX: usize = 4096;

/// The union of many lists: sorted when it is small, else a bitmap over all possible references.
#[derive(Debug)]
pub(crate) enum Union {
    Sorted(Vec<u32>),
    Bits(Vec<u64>),
}

impl Union {
    /// About how many bytes [`of`](Self::of) takes.
    pub(crate) fn bytes(total: usize, end: u64) -> usize {
        if total <= SORT_MAX { total * size_of::<u32>() } else { usize::try_from(end / 8).unwrap_or(usize::MAX) }
    }

    /// The union of lists with `total` members together; no reference reaches `end`.
    pub(crate) fn of<'a>(
        lists: impl Iterator<Item = Result<Postings<'a>, Corrupt>>,
        total: usize,
        end: u64,
    ) -> Result<Self, Corrupt> {
        // A bit for each reference; where those are bytes (version 1) that is an eighth of the file.
        if total <= SORT_MAX {
            let mut sorted = Vec::with_capacity(total);
            for list in lists {
                sorted.extend(list?.iter());
            }
            sorted.sort_unstable();
            sorted.dedup();
            return Ok(Self::Sorted(sorted));
        }
        let words = usize::try_from(end.div_ceil(64)).unwrap_or(usize::MAX);
        let mut bits = vec![0_u64; words];
        for list in lists {
            for reference in list?.iter() {
                match bits.get_mut(reference as usize / 64) {
                    Some(word) => *word |= 1 << (reference % 64),
                    None => return Err(Corrupt::new(0, format!("series {reference} lies outside the series section"))),
                }
            }
        }
        Ok(Self::Bits(bits))
    }

    /// The members of `sorted` that are in the union (`keep`), or those that are not.
    pub(crate) fn filter(&self, sorted: &mut Vec<u32>, keep: bool) {
        match self {
            Self::Sorted(members) => {
                let mut rest = members.as_slice();
                sorted.retain(|&reference| {
                    rest = &rest[super::gallop(rest, reference)..];
                    (rest.first() == Some(&reference)) == keep
                });
            }
            Self::Bits(bits) => sorted.retain(|&r| contains(bits, r) == keep),
        }
    }

    pub(crate) fn into_sorted(self) -> Vec<u32> {
        match self {
            Self::Sorted(members) => members,
            Self::Bits(bits) => {
                let count = bits.iter().map(|w| w.count_ones() as usize).sum();
                let mut members = Vec::with_capacity(count);
                for (i, &word) in bits.iter().enumerate() {
                    let mut word = word;
                    while word != 0 {
                        members.push(i as u32 * 64 + word.trailing_zeros());
                        word &= word - 1;
                    }
                }
                members
            }
        }
    }
}

fn contains(bits: &[u64], reference: u32) -> bool {
    bits.get(reference as usize / 64).is_some_and(|word| word >> (reference % 64) & 1 == 1)
}
