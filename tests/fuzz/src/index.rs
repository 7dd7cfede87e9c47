//! Index files: readers agree with each other, and an error names file and place.

use block::index::INDEX_FILE;
use block::{IndexReader, SeriesEntry};
use bytes::Bytes;
use model::{MatchOp, Matcher};

use crate::memory::bounded;
use crate::named;

/// The dearest part: a label name of one value in the offset table, and its copies here.
pub const MEMORY_FACTOR: usize = 256;
/// The regular expressions that are looked for take as much as an index of so many bytes.
const MATCHERS: usize = 4096;
const TOC: usize = 52;

/// All that an index says, in words.
pub type Content = Vec<String>;

/// Checks bytes that are said to be an index.
///
/// # Panics
/// When something does not hold.
pub fn check(file: &[u8]) {
    let bytes = Bytes::copy_from_slice(file);
    bounded(file.len() + MATCHERS, MEMORY_FACTOR, || read(bytes));
}

/// As [`check`], with all checksums put right first, so that damage gets past the door.
///
/// # Panics
/// As [`check`].
pub fn check_sealed(file: &[u8]) {
    let mut file = file.to_vec();
    seal(&mut file);
    check(&file);
}

/// Reads all there is; `None` after an error.
///
/// # Panics
/// When readers do not agree, or an error does not name its place.
pub fn read(file: Bytes) -> Option<Content> {
    let len = file.len();
    let index = named(IndexReader::new(file), INDEX_FILE, len)?;
    let mut content = Content::new();
    let mut sound = read_symbols(&index, len, &mut content).is_some();
    sound &= read_pairs(&index, len, &mut content).is_some();
    sound &= read_series(&index, len, &mut content).is_some();
    sound &= select(&index, len, &mut content).is_some();
    assert!(index.heap_bytes() <= 64 * len + 4096, "{} bytes of heap for {len}", index.heap_bytes());
    sound.then_some(content)
}

fn read_symbols(index: &IndexReader, len: usize, content: &mut Content) -> Option<()> {
    let count = named(index.symbol_count(), INDEX_FILE, len)?;
    assert!(count <= len);
    let symbols = named(index.all_symbols(), INDEX_FILE, len)?;
    assert_eq!(symbols.len(), count);
    for (i, symbol) in symbols.iter().enumerate() {
        if index.version() == 2 {
            assert_eq!(index.symbol(i as u32).as_ref(), Ok(symbol));
        }
        if let Some(found) = named(index.symbol_ref(symbol), INDEX_FILE, len)? {
            assert_eq!(index.symbol(found).as_ref(), Ok(symbol));
        }
        content.push((*symbol).to_owned());
    }
    named(index.symbol(u32::MAX), INDEX_FILE, u32::MAX as usize);
    Some(())
}

fn read_pairs(index: &IndexReader, len: usize, content: &mut Content) -> Option<()> {
    for name in named(index.label_names(), INDEX_FILE, len)? {
        let values = named(index.label_values(name), INDEX_FILE, len)?;
        assert_eq!(index.label_value_count(name), Ok(values.len()));
        assert!(values.is_sorted(), "values of {name} are not sorted");
        for value in values {
            let series = named(index.postings(name, value), INDEX_FILE, len)?;
            assert!(series.len() <= len / 4);
            content.push(format!("{name}={value} {:?}", series.to_vec()));
        }
    }
    Some(())
}

fn read_series(index: &IndexReader, len: usize, content: &mut Content) -> Option<()> {
    let mut entry = SeriesEntry::default();
    let mut labels = Vec::new();
    for reference in [0, 1, 7, u32::MAX] {
        named(index.series(reference, &mut entry), INDEX_FILE, 16 * reference as usize + len);
    }
    let all = named(index.all_postings(), INDEX_FILE, len)?;
    for reference in all.iter() {
        let far = len.max(16 * reference as usize);
        named(index.series_labels(reference, &mut labels), INDEX_FILE, far)?;
        named(index.series(reference, &mut entry), INDEX_FILE, far)?;
        assert_eq!(labels, entry.labels);
        assert!(labels.len() <= len && entry.chunks.len() <= len);
        let mut line = String::new();
        for &(name, value) in &entry.labels {
            line += named(index.symbol(name), INDEX_FILE, far.max(name as usize))?;
            line.push('=');
            line += named(index.symbol(value), INDEX_FILE, far.max(value as usize))?;
            line.push(' ');
        }
        content.push(format!("{line}{:?}", entry.chunks));
    }
    Some(())
}

fn select(index: &IndexReader, len: usize, content: &mut Content) -> Option<()> {
    let matcher = |op, name: &str, value: &str| Matcher::new(op, name, value).expect("a sound matcher");
    let all = named(index.all_postings(), INDEX_FILE, len)?.len();
    for matchers in [
        vec![],
        vec![matcher(MatchOp::Regex, "__name__", "http.*"), matcher(MatchOp::NotRegex, "code", "4..|2.*")],
        vec![matcher(MatchOp::NotEqual, "instance", ""), matcher(MatchOp::Equal, "pod", "")],
        vec![matcher(MatchOp::Regex, "instance", ".+2.*"), matcher(MatchOp::Regex, "job", "api|db")],
    ] {
        let found = named(block::postings::select(index, &matchers), INDEX_FILE, len)?;
        assert!(matchers.is_empty() || found.len() <= all.max(len));
        content.push(format!("{found:?}"));
    }
    Some(())
}

/// Puts all checksums right that can be found: of the table of contents and of the parts that it names.
pub fn seal(file: &mut [u8]) {
    let Some(start) = file.len().checked_sub(TOC) else { return };
    let (body, toc) = file.split_at_mut(start);
    let crc = crc32c::crc32c(&toc[..TOC - 4]);
    toc[TOC - 4..].copy_from_slice(&crc.to_be_bytes());
    let part = |i: usize| toc[8 * i..].first_chunk().map_or(0, |b| u64::from_be_bytes(*b)) as usize;
    let (symbols, series, end, postings, table) = (part(0), part(1), part(2), part(4), part(5));
    seal_section(body, symbols);
    seal_section(body, table);
    let mut at = postings;
    while at < table && at > 0 {
        let Some(end) = seal_section(body, at) else { break };
        at = end.next_multiple_of(4);
    }
    let Some(mut at) = series.checked_next_multiple_of(16) else { return };
    while at < end {
        let Some(end) = seal_series(body, at) else { break };
        at = end.next_multiple_of(16);
    }
}

/// A section of four bytes of length, body, checksum; gives its end.
fn seal_section(file: &mut [u8], at: usize) -> Option<usize> {
    let head = file.get(at..at.checked_add(4)?)?.first_chunk()?;
    seal_body(file, at + 4, u32::from_be_bytes(*head) as usize)
}

fn seal_series(file: &mut [u8], at: usize) -> Option<usize> {
    let (mut len, mut shift, mut start) = (0usize, 0, at);
    loop {
        let byte = *file.get(start)?;
        start += 1;
        len |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            return seal_body(file, start, len);
        }
    }
}

fn seal_body(file: &mut [u8], start: usize, len: usize) -> Option<usize> {
    let end = start.checked_add(len)?;
    let crc = crc32c::crc32c(file.get(start..end)?);
    file.get_mut(end..end.checked_add(4)?)?.copy_from_slice(&crc.to_be_bytes());
    Some(end + 4)
}
