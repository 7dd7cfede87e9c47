use std::sync::Arc;

use super::named;
use crate::Corrupt;
use crate::bytes::Cursor;

/// One in so many values of a name has its position in memory.
pub(super) const STRIDE: usize = 32;

/// Sampled positions in the postings offset table, by label name.
#[derive(Debug)]
pub(super) struct OffsetTable {
    /// Sorted by name.
    names: Vec<Name>,
    end: usize,
}

#[derive(Debug)]
struct Name {
    /// Where the name's text lies in the file.
    text: (u32, u32),
    /// Values in the table.
    count: usize,
    /// How many entries lie behind each position.
    stride: usize,
    /// Positions relative to the table's begin.
    sampled: Vec<u32>,
    base: usize,
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

impl<'a> Entry<'a> {
    pub(crate) fn value_str(&self) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.value).map_err(|_| named(Corrupt::new(self.at as u64, "label value is not UTF-8")))
    }
}

impl OffsetTable {
    pub(super) fn read(file: &[u8], offset: u64) -> Result<Self, Corrupt> {
        if offset == 0 {
            return Ok(Self { names: Vec::new(), end: 0 });
        }
        let mut body = Cursor::at(file, usize::try_from(offset).unwrap_or(usize::MAX)).section()?;
        let base = body.position();
        let count = body.be32()?;
        if count as usize > body.remaining() {
            return Err(body.corrupt(format!("{count} entries in {} bytes", body.remaining())));
        }
        let first = body.clone();
        let mut table = Self { names: Vec::new(), end: base + body.remaining() + 4 };
        let sorted = table.sample(file, &mut body, base, count)?;
        if !body.is_empty() {
            return Err(body.corrupt(format!("{} bytes after the last entry", body.remaining())));
        }
        if !sorted {
            table.sort_all(file, first, base, count)?;
        }
        Ok(table)
    }

    /// Keeps every `STRIDE`th position. False as soon as names or values turn out not to be sorted;
    /// then the rest was only skipped.
    fn sample(&mut self, file: &[u8], body: &mut Cursor<'_>, base: usize, count: u32) -> Result<bool, Corrupt> {
        let mut sorted = true;
        let mut last_value: &[u8] = &[];
        for _ in 0..count {
            let at = body.position();
            let (name, entry) = read_entry(body)?;
            if !sorted {
                continue;
            }
            let last = self.names.last();
            if last.is_some_and(|last| last.text(file) == name) {
                sorted = last_value < entry.value;
            } else {
                sorted = last.is_none_or(|last| last.text(file) < name);
                self.names.push(Name::new(file, name, STRIDE, base));
            }
            last_value = entry.value;
            let last = self.names.last_mut().expect("pushed above");
            if last.count.is_multiple_of(STRIDE) {
                last.sampled.push(position(at - base)?);
            }
            last.count += 1;
        }
        Ok(sorted)
    }

    /// Old files need not be sorted: then every position is kept, in order.
    fn sort_all(&mut self, file: &[u8], mut body: Cursor<'_>, base: usize, count: u32) -> Result<(), Corrupt> {
        let mut all = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let at = body.position();
            let (name, entry) = read_entry(&mut body)?;
            all.push((name, entry.value, at));
        }
        all.sort_unstable();
        all.dedup_by_key(|(name, value, _)| (*name, *value));
        self.names.clear();
        for (name, _, at) in all {
            if self.names.last().is_none_or(|last| last.text(file) != name) {
                self.names.push(Name::new(file, name, 1, base));
            }
            let last = self.names.last_mut().expect("pushed above");
            last.sampled.push(position(at - base)?);
            last.count += 1;
        }
        Ok(())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.names.iter().map(|n| size_of::<Name>() + n.sampled.capacity() * 4).sum()
    }

    pub(super) fn names<'a>(&self, file: &'a [u8]) -> Result<Vec<&'a str>, Corrupt> {
        let real = self.names.iter().filter(|n| !n.text(file).is_empty());
        real.map(|n| {
            let text = n.text(file);
            std::str::from_utf8(text).map_err(|_| Corrupt::new(u64::from(n.text.0), "label name is not UTF-8"))
        })
        .collect()
    }

    pub(super) fn entries<'a>(&'a self, file: &'a [u8], name: &str) -> Option<NameEntries<'a>> {
        let i = self.names.binary_search_by(|n| n.text(file).cmp(name.as_bytes())).ok()?;
        Some(NameEntries { file: &file[..self.end], name: &self.names[i] })
    }
}

impl Name {
    fn new(file: &[u8], text: &[u8], stride: usize, base: usize) -> Self {
        // `text` is a part of `file`.
        let start = text.as_ptr().addr() - file.as_ptr().addr();
        // Relative, so that 32 bits are enough in a file of any size.
        Self { text: ((start - base) as u32, text.len() as u32), count: 0, stride, sampled: Vec::new(), base }
    }

    fn text<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        let start = self.base + self.text.0 as usize;
        &file[start..start + self.text.1 as usize]
    }
}

/// The rows of one label name, sorted by value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameEntries<'a> {
    file: &'a [u8],
    name: &'a Name,
}

impl<'a> NameEntries<'a> {
    pub(crate) fn len(&self) -> usize {
        self.name.count
    }

    /// The row of one value.
    pub(crate) fn find(&self, value: &[u8]) -> Result<Option<Entry<'a>>, Corrupt> {
        let mut found = None;
        self.walk(value, |entry| {
            if entry.value == value {
                found = Some(entry);
            }
            Ok(entry.value < value)
        })?;
        Ok(found)
    }

    /// Calls `each` with every row until it says false.
    pub(crate) fn for_each(&self, each: impl FnMut(Entry<'a>) -> Result<bool, Corrupt>) -> Result<(), Corrupt> {
        self.walk(&[], each)
    }

    /// Rows whose value starts with `prefix`.
    pub(crate) fn for_prefix(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(Entry<'a>) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        self.walk(prefix, |entry| {
            if entry.value.starts_with(prefix) {
                each(entry)?;
                return Ok(true);
            }
            Ok(entry.value < prefix)
        })
    }

    /// The rows of `values`, which are sorted. Walks the whole name once where that is cheaper than a
    /// search for each.
    pub(crate) fn for_values(
        &self,
        values: &[Arc<str>],
        mut each: impl FnMut(Entry<'a>) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        if values.len() * self.name.stride < self.name.count {
            for value in values {
                if let Some(entry) = self.find(value.as_bytes())? {
                    each(entry)?;
                }
            }
            return Ok(());
        }
        let mut wanted = values.iter().map(|v| v.as_bytes()).peekable();
        let Some(first) = wanted.peek().copied() else { return Ok(()) };
        self.walk(first, |entry| {
            while wanted.next_if(|w| *w < entry.value).is_some() {}
            if wanted.peek().is_some_and(|w| *w == entry.value) {
                each(entry)?;
            }
            Ok(wanted.peek().is_some())
        })
    }

    /// Rows from the first sample that can hold `from` on, until `each` says false.
    fn walk(&self, from: &[u8], mut each: impl FnMut(Entry<'a>) -> Result<bool, Corrupt>) -> Result<(), Corrupt> {
        let name = self.name;
        let (mut low, mut high) = (0, name.sampled.len());
        while low < high && !from.is_empty() {
            let middle = low.midpoint(high);
            if self.read(&mut self.cursor(middle))?.value <= from {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let first = if from.is_empty() { 0 } else { low.saturating_sub(1) };
        for sample in first..name.sampled.len() {
            let mut cursor = self.cursor(sample);
            for _ in sample * name.stride..name.count.min((sample + 1) * name.stride) {
                if !each(self.read(&mut cursor)?)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn cursor(&self, sample: usize) -> Cursor<'a> {
        Cursor::at(self.file, self.name.base + self.name.sampled[sample] as usize)
    }

    fn read(&self, cursor: &mut Cursor<'a>) -> Result<Entry<'a>, Corrupt> {
        read_entry(cursor).map(|(_, entry)| entry).map_err(named)
    }
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

fn position(relative: usize) -> Result<u32, Corrupt> {
    u32::try_from(relative).map_err(|_| Corrupt::new(0, "postings offset table is longer than 4 GiB"))
}
