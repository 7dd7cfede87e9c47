use super::Postings;
use crate::Corrupt;

/// A sort of fewer members than this is cheaper than a bitmap over all series.
const SORT_MAX: usize = 4096;
/// So is one where the bitmap has so many bits for each.
const SORT_BITS: u64 = 128;
/// So many members take long enough to sort that it is done by digits.
const DIGITS_MIN: usize = 1024;

/// The union of many lists: sorted when it is small, else a bitmap over all possible references.
#[derive(Debug)]
pub(crate) enum Union {
    Sorted(Vec<u32>),
    Bits(Vec<u64>),
}

impl Union {
    /// About how many bytes [`of`](Self::of) takes.
    pub(crate) fn bytes(total: usize, end: u64) -> usize {
        if Self::is_sorted(total, end) {
            2 * total * size_of::<u32>()
        } else {
            usize::try_from(end / 8).unwrap_or(usize::MAX)
        }
    }

    /// Whether so many members are sorted rather than put into a bitmap up to `end`.
    fn is_sorted(total: usize, end: u64) -> bool {
        total <= SORT_MAX || total as u64 <= end / SORT_BITS
    }

    /// The union of lists with about `total` members together; no reference reaches `end`.
    pub(crate) fn of<'a>(
        lists: impl Iterator<Item = Result<Postings<'a>, Corrupt>>,
        total: usize,
        end: u64,
    ) -> Result<Self, Corrupt> {
        // A bit for each reference; where those are bytes (version 1) that is an eighth of the file.
        if Self::is_sorted(total, end) {
            let mut sorted = Vec::with_capacity(total);
            for list in lists {
                sorted.extend(list?.iter());
            }
            sort(&mut sorted);
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

/// Sorts, by digits of eleven bits where that is worth it.
fn sort(members: &mut Vec<u32>) {
    const DIGIT: u32 = 11;
    if members.len() < DIGITS_MIN {
        return members.sort_unstable();
    }
    let mut sorted = vec![0; members.len()];
    for shift in (0..u32::BITS).step_by(DIGIT as usize) {
        let digit = |member: u32| (member >> shift) as usize % (1 << DIGIT);
        let mut places = [0_u32; 1 << DIGIT];
        members.iter().for_each(|&member| places[digit(member)] += 1);
        let mut start = 0;
        for place in &mut places {
            start += std::mem::replace(place, start);
        }
        for &member in &*members {
            let place = &mut places[digit(member)];
            sorted[*place as usize] = member;
            *place += 1;
        }
        std::mem::swap(members, &mut sorted);
    }
}

fn contains(bits: &[u64], reference: u32) -> bool {
    bits.get(reference as usize / 64).is_some_and(|word| word >> (reference % 64) & 1 == 1)
}

#[cfg(test)]
mod tests;
