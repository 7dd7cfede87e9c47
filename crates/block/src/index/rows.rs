use super::named;
use super::table::{Entry, NameEntries, Place, key};
use crate::Corrupt;

/// So many values' rows are on their way from memory at once.
const VALUES_AHEAD: usize = 32;

/// Walks over the rows of one label name, in order of values, and skips what is not asked for.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    entries: NameEntries<'a>,
    /// Which row is read next, and where it begins; unknown where a sample tells.
    row: usize,
    at: usize,
    /// Was read and stays ahead.
    ahead: Option<Entry<'a>>,
}

impl<'a> Entry<'a> {
    pub(crate) fn value_str(&self) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.value).map_err(|_| named(Corrupt::new(self.at as u64, "label value is not UTF-8")))
    }
}

impl<'a> Rows<'a> {
    pub(super) fn new(entries: NameEntries<'a>) -> Self {
        Self { entries, row: 0, at: 0, ahead: None }
    }

    /// The next row.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'a>>, Corrupt> {
        match self.ahead.take() {
            Some(entry) => Ok(Some(entry)),
            None => self.read(),
        }
    }

    /// The first row from here on whose value is not below `value`; it stays the next one.
    pub(crate) fn seek(&mut self, value: &[u8]) -> Result<Option<Entry<'a>>, Corrupt> {
        if self.ahead.is_some_and(|entry| entry.value >= value) {
            return Ok(self.ahead);
        }
        let key = self.entries.key(value).map_err(|e| self.entries.named(e))?;
        let sample = self.samples_upto(self.next_sample(), value, key)?;
        self.seek_from(sample, value)
    }

    /// The rows of those of `values`, which ascend, that are there. Reading a row waits for memory; so rows
    /// are asked for some values ahead of their turn.
    pub(crate) fn find_each<'v>(
        self,
        mut values: impl Iterator<Item = &'v [u8]>,
        mut take: impl FnMut(Entry<'a>),
    ) -> Result<(), Corrupt> {
        let entries = self.entries;
        let begin = entries.begin().map_err(|e| entries.named(e))?;
        let mut ahead = Vec::with_capacity(VALUES_AHEAD);
        let (mut samples, mut place) = (0, Place::default());
        loop {
            let mut is_last = true;
            for value in values.by_ref().take(VALUES_AHEAD) {
                is_last = false;
                // What does not begin as all values do is none of them.
                let Some(own) = value.strip_prefix(begin) else { continue };
                let key = Some(key(own));
                samples = self.samples_upto(samples, value, key)?;
                if let Some(sample) = samples.checked_sub(1) {
                    entries.prefetch(sample);
                    ahead.push((value, key, sample));
                }
            }
            if is_last {
                return Ok(());
            }
            for (value, key, sample) in ahead.drain(..) {
                if place.sample != Some(sample) {
                    place = entries.place(sample).map_err(|e| entries.named(e))?;
                }
                if let Some(entry) = entries.seek(&mut place, value, key).map_err(|e| entries.named(e))? {
                    take(entry);
                }
            }
        }
    }

    /// As [`Rows::seek`], where `samples` samples are known to be not above `value`.
    fn seek_from(&mut self, samples: usize, value: &[u8]) -> Result<Option<Entry<'a>>, Corrupt> {
        if samples > self.next_sample() {
            self.skip_to(samples - 1);
        }
        loop {
            let row = self.next()?;
            if row.is_none_or(|entry| entry.value >= value) {
                self.ahead = row;
                return Ok(row);
            }
        }
    }

    /// The first sample that was not read.
    fn next_sample(&self) -> usize {
        self.row.div_ceil(self.entries.stride())
    }

    /// How many samples are not above `value`, which has this key, where the first `known` are not: in steps
    /// that double.
    fn samples_upto(&self, known: usize, value: &[u8], key: Option<u64>) -> Result<usize, Corrupt> {
        let entries = self.entries;
        let is_below = |sample| entries.is_below(value, key, sample).map_err(|e| entries.named(e));
        // `high` is too many.
        let (mut low, mut high, mut step) = (known, self.entries.samples().max(known) + 1, 1);
        while low + step < high {
            if is_below(low + step - 1)? {
                high = low + step;
                break;
            }
            low += step;
            step *= 2;
        }
        while low + 1 < high {
            let middle = low.midpoint(high);
            if is_below(middle - 1)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(low)
    }

    /// Makes the first row of a sample the next one.
    pub(super) fn skip_to(&mut self, sample: usize) {
        self.ahead = None;
        self.row = sample * self.entries.stride();
    }

    #[inline]
    fn read(&mut self) -> Result<Option<Entry<'a>>, Corrupt> {
        if self.row >= self.entries.len() {
            return Ok(None);
        }
        if self.row.is_multiple_of(self.entries.stride()) {
            self.at = self.entries.sample(self.row / self.entries.stride()).map_err(|e| self.entries.named(e))?;
        }
        let (entry, end) = self.entries.read(self.at).map_err(|e| self.entries.named(e))?;
        self.row += 1;
        self.at = end;
        Ok(Some(entry))
    }
}
