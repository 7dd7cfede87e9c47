use super::numbers::Numbers;
use super::pages::Pages;
use crate::Corrupt;
use crate::bytes::Cursor;

/// One in so many symbols has its position in memory.
pub(super) const STRIDE: usize = 8;

/// Where symbols lie in the file. Lookups walk over at most [`STRIDE`] strings.
#[derive(Debug)]
pub(super) struct Symbols {
    /// Version 1 refers to symbols by byte offset.
    by_offset: bool,
    count: usize,
    /// Position of every `STRIDE`th symbol, counted from `start`.
    pub(super) sampled: Numbers,
    /// Where the symbols begin and end.
    start: usize,
    end: usize,
    pages: Pages,
}

impl Symbols {
    /// Walks over all of them, the checksum verified.
    pub(super) fn read(file: &[u8], version: u8, offset: u64) -> Result<Self, Corrupt> {
        if offset == 0 {
            return Ok(Self::of(version, 0, 0..0, Numbers::default()));
        }
        let mut body = Cursor::at(file, usize::try_from(offset).unwrap_or(usize::MAX)).section()?;
        let count = body.be32()? as usize;
        if count > body.remaining() {
            return Err(body.corrupt(format!("{count} symbols in {} bytes", body.remaining())));
        }
        let start = body.position();
        let mut sampled = Vec::with_capacity(count.div_ceil(STRIDE) * 4);
        for i in 0..count {
            if i % STRIDE == 0 {
                // The section's length is 32 bits wide.
                sampled.extend_from_slice(&((body.position() - start) as u32).to_be_bytes());
            }
            body.uvarint_bytes()?;
        }
        if !body.is_empty() {
            return Err(body.corrupt(format!("{} bytes after the last symbol", body.remaining())));
        }
        Ok(Self::of(version, count, start..body.position(), Numbers::new(sampled.into())))
    }

    /// With positions that are known.
    pub(super) fn of(version: u8, count: usize, range: std::ops::Range<usize>, sampled: Numbers) -> Self {
        let (start, end) = (range.start, range.end);
        Self { by_offset: version == 1, count, sampled, start, end, pages: Pages::default() }
    }

    /// What is read is held against these checksums of the symbols' pages first.
    pub(super) fn with_pages(self, sums: Numbers) -> Self {
        Self { pages: Pages::new(self.start, sums), ..self }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The bytes of all symbols.
    pub(super) fn part<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        file.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.sampled.bytes().len()
    }

    #[inline]
    pub(super) fn get<'a>(&self, file: &'a [u8], reference: u32) -> Result<&'a str, Corrupt> {
        if self.by_offset {
            let at = reference as usize;
            if at < self.start || at >= self.end {
                return Err(Corrupt::new(at as u64, "a symbol reference points outside the symbol table"));
            }
            return Cursor::at(&file[..self.end], at).uvarint_str();
        }
        let i = reference as usize;
        if i >= self.count {
            return Err(Corrupt::new(self.start as u64, format!("symbol {i} of {}", self.count)));
        }
        let mut cursor = self.group(file, i / STRIDE)?;
        for _ in 0..i % STRIDE {
            cursor.uvarint_bytes()?;
        }
        cursor.uvarint_str()
    }

    pub(super) fn find(&self, file: &[u8], text: &str) -> Result<Option<u32>, Corrupt> {
        // Strings sort as their bytes do.
        let (mut low, mut high) = (0, self.sampled.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.group(file, middle)?.uvarint_bytes()? <= text.as_bytes() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(sample) = low.checked_sub(1) else { return Ok(None) };
        let mut cursor = self.group(file, sample)?;
        for i in sample * STRIDE..self.count.min((sample + 1) * STRIDE) {
            let at = cursor.position();
            if cursor.uvarint_bytes()? == text.as_bytes() {
                let reference = if self.by_offset { at } else { i };
                return u32::try_from(reference).map(Some).map_err(|_| cursor.corrupt("too many symbols"));
            }
        }
        Ok(None)
    }

    pub(super) fn all<'a>(&self, file: &'a [u8]) -> Result<Vec<&'a str>, Corrupt> {
        self.pages.check(&file[..self.end], self.start, self.end)?;
        let mut cursor = Cursor::at(&file[..self.end], self.start);
        (0..self.count).map(|_| cursor.uvarint_str()).collect()
    }

    /// At the first of `STRIDE` symbols, all of them verified.
    #[inline]
    fn group<'a>(&self, file: &'a [u8], sample: usize) -> Result<Cursor<'a>, Corrupt> {
        let at = |sample: usize| self.start + self.sampled.get(sample) as usize;
        let next = if sample + 1 < self.sampled.len() { at(sample + 1) } else { self.end };
        let file = &file[..self.end];
        self.pages.check(file, at(sample), next)?;
        Ok(Cursor::at(file, at(sample)))
    }
}
