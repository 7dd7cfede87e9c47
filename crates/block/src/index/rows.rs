use super::named;
use super::table::{Entry, NameEntries};
use crate::Corrupt;

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
        self.skip_samples(value)?;
        loop {
            self.ahead = self.read()?;
            if self.ahead.is_none_or(|entry| entry.value >= value) {
                return Ok(self.ahead);
            }
        }
    }

    /// Goes to the last sample whose value is not above `value`, if it lies ahead: in steps that double.
    fn skip_samples(&mut self, value: &[u8]) -> Result<(), Corrupt> {
        let (stride, samples) = (self.entries.stride(), self.entries.samples());
        let first = self.row.div_ceil(stride);
        let key = self.entries.key(value).map_err(named)?;
        let is_below = |sample| self.entries.is_below(value, key, sample).map_err(named);
        // `low` samples from `first` on are known to be not above; `high` is too many.
        let (mut low, mut high, mut step) = (0, samples.saturating_sub(first) + 1, 1);
        while low + step < high {
            if is_below(first + low + step - 1)? {
                high = low + step;
                break;
            }
            low += step;
            step *= 2;
        }
        while low + 1 < high {
            let middle = low.midpoint(high);
            if is_below(first + middle - 1)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        if low > 0 {
            self.skip_to(first + low - 1);
        }
        Ok(())
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
            self.at = self.entries.sample(self.row / self.entries.stride()).map_err(named)?;
        }
        let (entry, end) = self.entries.read(self.at).map_err(named)?;
        self.row += 1;
        self.at = end;
        Ok(Some(entry))
    }
}
