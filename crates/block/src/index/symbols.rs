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
    sampled: Vec<u32>,
    /// Where the symbols begin and end.
    start: usize,
    end: usize,
}

impl Symbols {
    pub(super) fn read(file: &[u8], version: u8, offset: u64) -> Result<Self, Corrupt> {
        let mut symbols = Self { by_offset: version == 1, count: 0, sampled: Vec::new(), start: 0, end: 0 };
        if offset == 0 {
            return Ok(symbols);
        }
        let mut body = Cursor::at(file, usize::try_from(offset).unwrap_or(usize::MAX)).section()?;
        let count = body.be32()? as usize;
        if count > body.remaining() {
            return Err(body.corrupt(format!("{count} symbols in {} bytes", body.remaining())));
        }
        symbols.start = body.position();
        symbols.sampled.reserve_exact(count.div_ceil(STRIDE));
        for i in 0..count {
            if i % STRIDE == 0 {
                // The section's length is 32 bits wide.
                symbols.sampled.push((body.position() - symbols.start) as u32);
            }
            body.uvarint_bytes()?;
        }
        if !body.is_empty() {
            return Err(body.corrupt(format!("{} bytes after the last symbol", body.remaining())));
        }
        symbols.count = count;
        symbols.end = body.position();
        Ok(symbols)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.sampled.capacity() * size_of::<u32>()
    }

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
        let mut cursor = self.cursor(file, i / STRIDE);
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
            if self.cursor(file, middle).uvarint_bytes()? <= text.as_bytes() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(sample) = low.checked_sub(1) else { return Ok(None) };
        let mut cursor = self.cursor(file, sample);
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
        let mut cursor = Cursor::at(&file[..self.end], self.start);
        (0..self.count).map(|_| cursor.uvarint_str()).collect()
    }

    fn cursor<'a>(&self, file: &'a [u8], sample: usize) -> Cursor<'a> {
        Cursor::at(&file[..self.end], self.start + self.sampled[sample] as usize)
    }
}
