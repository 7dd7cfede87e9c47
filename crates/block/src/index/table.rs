use std::cmp::Ordering;
use std::ops::Range;
use std::sync::OnceLock;

use super::INDEX_FILE;
use super::numbers::Numbers;
use super::pages::Pages;
use super::rows::Rows;
use crate::Corrupt;
use crate::bytes::Cursor;
use crate::prefetch;

/// One in so many values of a name has its position in memory.
const STRIDE: usize = 16;
/// Rows are short; of long ones this many bytes are asked for ahead.
const PREFETCH_MAX: usize = 512;

/// Sampled positions in the postings offset table, by label name.
#[derive(Debug)]
pub(super) struct OffsetTable {
    pub(super) parts: Parts,
    /// Where in the index the bytes begin that the positions count in.
    shift: u64,
    pages: Pages,
    /// For each name how many series have it, where that was counted.
    series: Box<[OnceLock<usize>]>,
}

/// What is known of the table beside what it says itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// Where the table begins, its number of rows before all, and where its rows end.
    pub(super) base: usize,
    pub(super) end: usize,
    /// How many rows lie from one position to the next.
    pub(super) stride: usize,
    /// [`Name::NUMBERS`] for each label name, sorted by text.
    pub(super) names: Numbers,
    /// Positions of rows, relative to `base`.
    pub(super) sampled: Numbers,
    /// For each of those rows, two numbers: the eight bytes of its value behind what all values of the name
    /// begin with, filled up with zeros. They compare as the values do, where they differ.
    pub(super) keys: Numbers,
}

impl Parts {
    /// Of a table that is sorted; `None` where the numbers cannot be of one.
    pub(super) fn sorted(range: Range<usize>, [names, sampled, keys]: [Numbers; 3]) -> Option<Self> {
        let parts = Self { base: range.start, end: range.end, stride: STRIDE, names, sampled, keys };
        let mut samples = 0;
        for name in (0..parts.names.len() / Name::NUMBERS).map(|i| parts.name(i)) {
            if name.first as usize != samples {
                return None;
            }
            samples += (name.values as usize).div_ceil(STRIDE);
        }
        (samples == parts.sampled.len() && 2 * samples == parts.keys.len()).then_some(parts)
    }

    fn name(&self, i: usize) -> Name {
        let number = |k| self.names.get(i * Name::NUMBERS + k);
        let (text, text_len, values, first) = (number(0), number(1), number(2), number(3));
        Name { text, text_len, values, first, shared: number(4) }
    }
}

/// A label name in the table.
#[derive(Clone, Copy, Debug)]
struct Name {
    /// Where its text lies, relative to `base` so that 32 bits are enough in a file of any size.
    text: u32,
    text_len: u32,
    values: u32,
    /// Which position is its first.
    first: u32,
    /// So many bytes are the same at the begin of all values.
    shared: u32,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) value: &'a [u8],
    /// Byte offset of the list of series.
    pub(crate) offset: u64,
    /// Byte offset of the row.
    pub(crate) at: usize,
}

/// A row within those of a sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) sample: Option<usize>,
    at: usize,
    /// So many rows are left from it on.
    rows: usize,
}

impl OffsetTable {
    /// Walks over all rows, the checksum verified.
    pub(super) fn read(file: &[u8], offset: u64) -> Result<Self, Corrupt> {
        if offset == 0 {
            return Ok(Self::of(Parts { stride: STRIDE, ..Parts::default() }));
        }
        Self::read_at(file, offset)
    }

    fn read_at(file: &[u8], offset: u64) -> Result<Self, Corrupt> {
        let mut body = Cursor::at(file, usize::try_from(offset).unwrap_or(usize::MAX)).section()?;
        let base = body.position();
        let end = base + body.remaining();
        let count = body.be32()?;
        if count as usize > body.remaining() {
            return Err(body.corrupt(format!("{count} entries in {} bytes", body.remaining())));
        }
        let mut sampler = Sampler::new(file, base, STRIDE);
        let mut rows = body.clone();
        if !sampler.sample(&mut rows, count)? {
            sampler = Sampler::new(file, base, 1);
            sampler.sort_all(&mut body.clone(), count)?;
        }
        if !rows.is_empty() {
            return Err(rows.corrupt(format!("{} bytes after the last entry", rows.remaining())));
        }
        Ok(Self::of(Parts {
            base,
            end,
            stride: sampler.stride,
            names: sampler.names.iter().flat_map(Name::numbers).collect(),
            keys: sampler.keys(),
            sampled: sampler.rows.iter().map(|&(at, _)| at).collect(),
        }))
    }

    /// With positions that are known.
    pub(super) fn of(parts: Parts) -> Self {
        let series = (0..parts.names.len() / Name::NUMBERS).map(|_| OnceLock::new()).collect();
        Self { parts, shift: 0, pages: Pages::default(), series }
    }

    /// Of a part of the index that begins at `shift`; errors and rows give positions in the index.
    pub(super) fn read_part(part: &[u8], offset: u64, shift: u64) -> Result<Self, Corrupt> {
        let read = if offset == 0 { Self::read(&[], 0) } else { Self::read_at(part, offset.saturating_sub(shift)) };
        read.map(|table| Self { shift, ..table }).map_err(|e| e.within(INDEX_FILE, shift))
    }

    /// Where the list of the row at a position in the index begins, and that of the row behind it.
    pub(super) fn lists_from(&self, part: &[u8], at: usize) -> Result<(u64, Option<u64>), Corrupt> {
        let rows = &part[..self.parts.end.min(part.len())];
        let mut cursor = Cursor::at(rows, at.saturating_sub(usize::try_from(self.shift).unwrap_or(usize::MAX)));
        let mut next = || Ok(read_entry(&mut cursor)?.1.offset);
        let first = next().map_err(|e: Corrupt| self.named(e))?;
        // Behind the last row there is none.
        Ok((first, next().ok()))
    }

    /// Names the file in an error, and moves it to where the bytes begin in it.
    pub(super) fn named(&self, e: Corrupt) -> Corrupt {
        e.within(INDEX_FILE, self.shift)
    }

    /// What is read is held against these checksums of the table's pages first.
    pub(super) fn with_pages(self, sums: Numbers) -> Self {
        Self { pages: Pages::new(self.parts.base, sums), ..self }
    }

    /// The bytes of all rows, their number before them.
    pub(super) fn part<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        file.get(self.parts.base..self.parts.end).unwrap_or_default()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.parts.names.bytes().len() + self.parts.sampled.bytes().len() + size_of_val(&*self.series)
    }

    pub(super) fn names<'a>(&self, file: &'a [u8]) -> Result<Vec<&'a str>, Corrupt> {
        let mut names = Vec::with_capacity(self.series.len());
        for i in 0..self.series.len() {
            let text = self.text(file, i)?;
            if !text.is_empty() {
                let invalid = |_| {
                    Corrupt::new(
                        (self.parts.base as u64) + u64::from(self.parts.name(i).text),
                        "label name is not UTF-8",
                    )
                };
                names.push(std::str::from_utf8(text).map_err(invalid)?);
            }
        }
        Ok(names)
    }

    pub(super) fn entries<'a>(&'a self, file: &'a [u8], name: &str) -> Result<Option<NameEntries<'a>>, Corrupt> {
        let (mut low, mut high) = (0, self.series.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.text(file, middle)? < name.as_bytes() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = low < self.series.len() && self.text(file, low)? == name.as_bytes();
        Ok(found.then(|| NameEntries { table: self, file, name: self.parts.name(low), number: low }))
    }

    fn in_file(&self, at: usize) -> usize {
        at + self.shift as usize
    }

    /// Whether names and values stand in order; old files need not.
    pub(super) fn is_sorted(&self) -> bool {
        self.parts.stride == STRIDE
    }

    fn text<'a>(&self, file: &'a [u8], i: usize) -> Result<&'a [u8], Corrupt> {
        let (name, file) = (self.parts.name(i), &file[..self.parts.end]);
        let start = self.parts.base + name.text as usize;
        let end = start + name.text_len as usize;
        self.pages.check(file, start, end)?;
        file.get(start..end).ok_or_else(|| Corrupt::new(start as u64, "a label name lies outside the table"))
    }
}

impl Name {
    const NUMBERS: usize = 5;

    fn numbers(&self) -> [u32; Self::NUMBERS] {
        [self.text, self.text_len, self.values, self.first, self.shared]
    }
}

/// The rows of one label name, sorted by value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameEntries<'a> {
    table: &'a OffsetTable,
    file: &'a [u8],
    name: Name,
    number: usize,
}

impl<'a> NameEntries<'a> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.name.values as usize
    }

    /// All rows from the first on.
    pub(crate) fn rows(self) -> Rows<'a> {
        Rows::new(self)
    }

    /// All values, sorted.
    pub(crate) fn values(self) -> Result<Vec<&'a str>, Corrupt> {
        let mut values = Vec::with_capacity(self.len());
        let mut rows = self.rows();
        while let Some(entry) = rows.next()? {
            values.push(entry.value_str()?);
        }
        Ok(values)
    }

    /// The row of one value.
    pub(crate) fn find(self, value: &[u8]) -> Result<Option<Entry<'a>>, Corrupt> {
        Ok(self.rows().seek(value)?.filter(|entry| entry.value == value))
    }

    /// The row of the largest value.
    pub(crate) fn last(self) -> Result<Option<Entry<'a>>, Corrupt> {
        let mut rows = self.rows();
        rows.skip_to(self.samples().saturating_sub(1));
        let mut last = None;
        while let Some(entry) = rows.next()? {
            last = Some(entry);
        }
        Ok(last)
    }

    /// How many series have the label; counted once, by `count`.
    pub(crate) fn series(&self, count: impl FnOnce() -> Result<usize, Corrupt>) -> Result<usize, Corrupt> {
        let known = &self.table.series[self.number];
        match known.get() {
            Some(&series) => Ok(series),
            None => count().map(|series| *known.get_or_init(|| series)),
        }
    }

    pub(super) fn named(&self, e: Corrupt) -> Corrupt {
        self.table.named(e)
    }

    pub(super) fn stride(&self) -> usize {
        self.table.parts.stride.max(1)
    }

    /// How many rows' positions are known: every `stride`th.
    pub(super) fn samples(&self) -> usize {
        self.len().div_ceil(self.stride())
    }

    /// Where row `sample * stride` begins; it and those behind it, up to the next sample, are verified.
    pub(super) fn sample(&self, sample: usize) -> Result<usize, Corrupt> {
        let parts = &self.table.parts;
        let i = self.name.first as usize + sample;
        let at = |i: usize| parts.base + parts.sampled.get(i) as usize;
        let next = if i + 1 < parts.sampled.len() { at(i + 1) } else { parts.end };
        self.table.pages.check(&self.file[..parts.end], at(i), next)?;
        Ok(at(i))
    }

    /// Asks for the rows of a sample ahead of their turn.
    pub(super) fn prefetch(&self, sample: usize) {
        let parts = &self.table.parts;
        let i = self.name.first as usize + sample;
        let at = parts.base + parts.sampled.get(i) as usize;
        let end = if i + 1 < parts.sampled.len() { parts.base + parts.sampled.get(i + 1) as usize } else { parts.end };
        prefetch(self.file.get(at..end.min(at + PREFETCH_MAX)).unwrap_or_default());
    }

    /// What all values begin with.
    pub(super) fn begin(&self) -> Result<&'a [u8], Corrupt> {
        let shared = self.name.shared as usize;
        if shared == 0 {
            return Ok(&[]);
        }
        let first = self.read(self.sample(0)?)?.0.value;
        first.get(..shared).ok_or_else(|| Corrupt::new(self.table.parts.base as u64, "a label value is cut short"))
    }

    /// What of `value` compares with the keys; `None` where it does not begin with what all values begin with.
    pub(super) fn key(&self, value: &[u8]) -> Result<Option<u64>, Corrupt> {
        Ok(value.strip_prefix(self.begin()?).map(key))
    }

    /// The first row of a sample.
    pub(super) fn place(&self, sample: usize) -> Result<Place, Corrupt> {
        let before = sample * self.stride();
        let rows = self.len().saturating_sub(before).min(self.stride());
        Ok(Place { sample: Some(sample), at: self.sample(sample)?, rows })
    }

    /// The row of `value`, which has this key, if it is one of the sample's; goes to the first that is not below it.
    pub(super) fn seek(&self, place: &mut Place, value: &[u8], key: Option<u64>) -> Result<Option<Entry<'a>>, Corrupt> {
        while place.rows > 0 {
            let end = match self.glance(place.at).zip(key) {
                Some(((there, end), key)) if there < key => end,
                Some(((there, _), key)) if there > key => return Ok(None),
                _ => {
                    let (entry, end) = self.read(place.at)?;
                    match entry.value.cmp(value) {
                        Ordering::Less => end,
                        Ordering::Equal => return Ok(Some(entry)),
                        Ordering::Greater => return Ok(None),
                    }
                }
            };
            place.at = end;
            place.rows -= 1;
        }
        Ok(None)
    }

    /// The key of a row and where it ends; `None` for what takes [`NameEntries::read`].
    #[inline]
    fn glance(&self, at: usize) -> Option<(u64, usize)> {
        let row = self.file[..self.table.parts.end].get(at..)?;
        let (len, shared) = (self.name.text_len as usize, self.name.shared as usize);
        let (&[keys, name_len], &value_len) = (row.first_chunk()?, row.get(2 + len)?);
        if keys != 2 || usize::from(name_len) != len || (name_len | value_len) >= 0x80 {
            return None;
        }
        let value = row.get(3 + len..)?;
        let own = usize::from(value_len).checked_sub(shared)?;
        let word = u64::from_be_bytes(*value.get(shared..)?.first_chunk()?);
        // Zeros behind its end.
        let key = if own < 8 { word & !(u64::MAX >> (8 * own)) } else { word };
        let offset = u64::from_le_bytes(*value.get(usize::from(value_len)..)?.first_chunk()?);
        let last = !offset & 0x8080_8080_8080_8080;
        (last != 0).then(|| (key, at + 3 + len + usize::from(value_len) + last.trailing_zeros() as usize / 8 + 1))
    }

    /// Whether `value`, which has this key, is below that of row `sample * stride`.
    pub(super) fn is_below(&self, value: &[u8], key: Option<u64>, sample: usize) -> Result<bool, Corrupt> {
        let keys = &self.table.parts.keys;
        let i = 2 * (self.name.first as usize + sample);
        let there = u64::from(keys.get(i)) << 32 | u64::from(keys.get(i + 1));
        match key {
            Some(key) if key != there => Ok(key < there),
            _ => Ok(value < self.read(self.sample(sample)?)?.0.value),
        }
    }

    /// The row at a position, and where it ends.
    #[inline]
    pub(super) fn read(&self, at: usize) -> Result<(Entry<'a>, usize), Corrupt> {
        let file = &self.file[..self.table.parts.end];
        let len = self.name.text_len as usize;
        // Nearly all lengths take one byte.
        if len < 0x80
            && let Some((&[2, name_len, ..], row)) = file.get(at..).and_then(|row| row.split_at_checked(2 + len))
            && name_len as usize == len
            && let Some((&value_len, row)) = row.split_first()
            && value_len < 0x80
            && let Some(value) = row.get(..value_len as usize)
        {
            let mut cursor = Cursor::at(file, at + 2 + len + 1 + value.len());
            let entry = Entry { value, offset: cursor.uvarint()?, at: self.table.in_file(at) };
            return Ok((entry, cursor.position()));
        }
        let mut cursor = Cursor::at(&self.file[..self.table.parts.end], at);
        // All rows of a name begin with the same bytes.
        if cursor.byte()? != 2 || cursor.uvarint()? != u64::from(self.name.text_len) {
            return Err(Corrupt::new(
                at as u64,
                "a row of the postings offset table is of another form than those before it",
            ));
        }
        cursor.take(self.name.text_len as usize)?;
        let value = cursor.uvarint_bytes()?;
        let entry = Entry { value, offset: cursor.uvarint()?, at: self.table.in_file(at) };
        Ok((entry, cursor.position()))
    }
}

/// Finds the rows whose positions are kept.
struct Sampler<'a> {
    file: &'a [u8],
    base: usize,
    stride: usize,
    names: Vec<Name>,
    /// Position relative to `base`, and value.
    rows: Vec<(u32, &'a [u8])>,
    /// The value of the last row.
    last: &'a [u8],
}

impl<'a> Sampler<'a> {
    fn new(file: &'a [u8], base: usize, stride: usize) -> Self {
        Self { file, base, stride, names: Vec::new(), rows: Vec::new(), last: &[] }
    }

    /// Keeps every `stride`th position of each name. False as soon as names or values turn out not to be
    /// sorted; then the rest was only skipped.
    fn sample(&mut self, rows: &mut Cursor<'a>, count: u32) -> Result<bool, Corrupt> {
        let mut sorted = true;
        for _ in 0..count {
            let (name, entry) = read_entry(rows)?;
            if sorted {
                let before = self.names.last().map(|last| self.text(last));
                sorted = before.is_none_or(|before| (before, self.last) < (name, entry.value));
                self.keep(before != Some(name), name, &entry);
            }
        }
        self.end_name();
        Ok(sorted)
    }

    /// Old files need not be sorted: then every position is kept, in order.
    fn sort_all(&mut self, rows: &mut Cursor<'a>, count: u32) -> Result<(), Corrupt> {
        let mut all = Vec::with_capacity(count as usize);
        for _ in 0..count {
            all.push(read_entry(rows)?);
        }
        all.sort_unstable_by_key(|(name, entry)| (*name, entry.value, entry.at));
        all.dedup_by_key(|(name, entry)| (*name, entry.value));
        for (name, entry) in all {
            let is_new = self.names.last().is_none_or(|last| self.text(last) != name);
            self.keep(is_new, name, &entry);
        }
        self.end_name();
        Ok(())
    }

    fn keep(&mut self, is_new: bool, name: &'a [u8], entry: &Entry<'a>) {
        if is_new {
            self.end_name();
            // `name` is a part of `file`; a section's length is 32 bits wide.
            let text = (name.as_ptr().addr() - self.file.as_ptr().addr() - self.base) as u32;
            let first = self.rows.len() as u32;
            self.names.push(Name { text, text_len: name.len() as u32, values: 0, first, shared: 0 });
        }
        let Some(current) = self.names.last_mut() else { return };
        if (current.values as usize).is_multiple_of(self.stride) {
            self.rows.push(((entry.at - self.base) as u32, entry.value));
        }
        current.values += 1;
        self.last = entry.value;
    }

    /// What the first and the last of sorted values share, all of them do.
    fn end_name(&mut self) {
        if let Some(name) = self.names.last_mut()
            && let Some((_, first)) = self.rows.get(name.first as usize)
        {
            name.shared = first.iter().zip(self.last).take_while(|(a, b)| a == b).count() as u32;
        }
    }

    fn keys(&self) -> Numbers {
        let ends = self.names.iter().skip(1).map(|n| n.first as usize).chain([self.rows.len()]);
        let names = self.names.iter().zip(ends);
        let of_name = |(name, end): (&Name, usize)| {
            let rows = self.rows[name.first as usize..end].iter();
            let shared = name.shared as usize;
            rows.flat_map(move |(_, value)| {
                let key = key(value.get(shared..).unwrap_or_default());
                [(key >> 32) as u32, key as u32]
            })
        };
        names.flat_map(of_name).collect()
    }

    fn text(&self, name: &Name) -> &'a [u8] {
        let start = self.base + name.text as usize;
        &self.file[start..start + name.text_len as usize]
    }
}

/// The first eight bytes, zeros behind the end: compares as the strings do, where it differs.
#[inline]
pub(super) fn key(text: &[u8]) -> u64 {
    if let Some(first) = text.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    let len = text.len().min(8);
    first[..len].copy_from_slice(&text[..len]);
    u64::from_be_bytes(first)
}

fn read_entry<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Entry<'a>), Corrupt> {
    let at = cursor.position();
    let keys = cursor.uvarint()?;
    if keys != 2 {
        return Err(cursor.corrupt(format!("an entry of {keys} keys, expected 2")));
    }
    let name = cursor.uvarint_bytes()?;
    let value = cursor.uvarint_bytes()?;
    Ok((name, Entry { value, offset: cursor.uvarint()?, at }))
}
