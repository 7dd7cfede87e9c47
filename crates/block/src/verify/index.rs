use hashbrown::HashMap;

use super::{Cover, Findings};
use crate::bytes::Cursor;
use crate::index::{HEADER_LEN, INDEX_FILE, SERIES_ALIGN, TOC_LEN};
use crate::{Corrupt, IndexReader, SeriesEntry};

/// Series by name and value, as symbol references.
type Pairs = HashMap<(u32, u32), Vec<u32>>;

/// What was found in an index.
#[derive(Debug, Default)]
pub struct Indexed {
    pub(super) findings: Findings,
    /// The longest way from the begin of a series to that of the next, in bytes.
    pub(super) series_max: u64,
}

/// Verifies an index whose frame is sound, `references` being all of its series, ascending.
pub(super) fn verify(index: &IndexReader, references: &[u32]) -> Indexed {
    let mut findings = Findings::default();
    let mut cover = Cover::default();
    let len = index.bytes().len();
    cover.add(0, HEADER_LEN as u64, "the header");
    cover.add((len - TOC_LEN) as u64, len as u64, "the table of contents");
    let symbols = verify_symbols(index, &mut cover, &mut findings);

    let mut pairs = Pairs::new();
    let mut last = Vec::new();
    let mut entry = SeriesEntry::default();
    for &reference in references {
        let at = index.series_offset(reference);
        if findings.or_note(index.series(reference, &mut entry), INDEX_FILE).is_none() {
            continue;
        }
        if let Some(end) = entry_end(index, at) {
            cover.add(at, end, "a series");
        }
        let sound = verify_labels(index, at, &entry, symbols, &mut findings);
        if sound && !last.is_empty() && last >= entry.labels {
            findings.note(INDEX_FILE, at, "series does not come behind the one before it in label order");
        }
        for &pair in &entry.labels {
            pairs.entry(pair).or_default().push(reference);
        }
        last.clone_from(&entry.labels);
        findings.series += 1;
    }
    if let Err(e) = verify_postings(index, references, pairs, &mut cover, &mut findings) {
        findings.add(e.within(INDEX_FILE, 0));
    }
    if let Err(e) = cover_label_indices(index, &mut cover) {
        findings.add(e.within(INDEX_FILE, 0));
    }
    cover.finish(INDEX_FILE, index.bytes(), SERIES_ALIGN, &mut findings);
    let distances = references.windows(2).map(|pair| index.series_offset(pair[1]) - index.series_offset(pair[0]));
    Indexed { findings, series_max: distances.max().unwrap_or(0) }
}

/// Gives how many symbols there are.
fn verify_symbols(index: &IndexReader, cover: &mut Cover, findings: &mut Findings) -> usize {
    let at = index.toc().symbols;
    let Some(symbols) = findings.or_note(index.all_symbols(), INDEX_FILE) else { return 0 };
    if let Some(i) = symbols.windows(2).position(|w| w[0] >= w[1]) {
        findings.note(INDEX_FILE, at, format!("symbol {} does not come behind symbol {i}", i + 1));
    }
    if at > 0 {
        cover_section(index, at, "the symbols", cover);
    }
    symbols.len()
}

fn verify_labels(index: &IndexReader, at: u64, entry: &SeriesEntry, symbols: usize, findings: &mut Findings) -> bool {
    if entry.labels.windows(2).any(|w| w[0].0 >= w[1].0) {
        findings.note(INDEX_FILE, at, "label names of a series do not ascend");
        return false;
    }
    if symbols > 0 {
        for &(name, value) in &entry.labels {
            for (text, what) in [(index.symbol(name), "name"), (index.symbol(value), "value")] {
                match text {
                    Ok("") => findings.note(INDEX_FILE, at, format!("a label {what} of a series is empty")),
                    Ok(_) => {}
                    Err(e) => {
                        findings.add(e);
                        return false;
                    }
                }
            }
        }
    }
    for pair in entry.chunks.windows(2) {
        if pair[1].min_time <= pair[0].max_time {
            let what = format!("chunk from {} overlaps the one before, to {}", pair[1].min_time, pair[0].max_time);
            findings.note(INDEX_FILE, at, what);
        }
    }
    if let Some(chunk) = entry.chunks.iter().find(|c| c.min_time > c.max_time) {
        findings.note(INDEX_FILE, at, format!("chunk from {} to {}", chunk.min_time, chunk.max_time));
    }
    true
}

/// Each row of the offset table: its order, and its list against the series.
fn verify_postings(
    index: &IndexReader,
    references: &[u32],
    mut pairs: Pairs,
    cover: &mut Cover,
    findings: &mut Findings,
) -> Result<(), Corrupt> {
    let at = index.toc().postings_table;
    if at > 0 {
        cover_section(index, at, "the postings offset table", cover);
        let mut rows = Cursor::at(index.bytes(), at as usize).section()?;
        let mut last: Option<(&[u8], &[u8])> = None;
        for _ in 0..rows.be32()? {
            let row = rows.position() as u64;
            let names = rows.uvarint()?;
            if names != 2 {
                return Err(rows.corrupt(format!("row of {names} texts in the postings offset table")));
            }
            let (name, value) = (rows.uvarint_bytes()?, rows.uvarint_bytes()?);
            let offset = rows.uvarint()?;
            if last.is_some_and(|last| last >= (name, value)) {
                findings.note(INDEX_FILE, row, "row of the postings offset table does not come behind the one before");
            }
            last = Some((name, value));
            cover_section(index, offset, "a postings list", cover);
            let Some(list) = findings.or_note(index.postings_at(offset), INDEX_FILE) else { continue };
            let shown = || format!("{}={}", name.escape_ascii(), value.escape_ascii());
            let expected = if name.is_empty() {
                Some(references.to_vec())
            } else {
                let symbol = |text| std::str::from_utf8(text).ok().and_then(|t| index.symbol_ref(t).ok().flatten());
                symbol(name).zip(symbol(value)).and_then(|pair| pairs.remove(&pair))
            };
            match expected {
                None => findings.note(INDEX_FILE, offset, format!("postings of {} that no series has", shown())),
                Some(expected) if !list.iter().eq(expected.iter().copied()) => {
                    let what = format!("postings of {} are not the {} series that have it", shown(), expected.len());
                    findings.note(INDEX_FILE, offset, what);
                }
                Some(_) => {}
            }
        }
        if !rows.is_empty() {
            return Err(rows.corrupt("bytes behind the last row of the postings offset table"));
        }
    }
    let mut missing: Vec<_> = pairs.into_iter().collect();
    missing.sort_unstable();
    for ((name, value), series) in missing {
        let text = |r| index.symbol(r).unwrap_or("?").to_owned();
        let what = format!("no postings of {}={}, which {} series have", text(name), text(value), series.len());
        findings.note(INDEX_FILE, at, what);
    }
    Ok(())
}

/// Label indices, which old files have, and their table.
fn cover_label_indices(index: &IndexReader, cover: &mut Cover) -> Result<(), Corrupt> {
    let toc = index.toc();
    let at = toc.label_indices_table;
    if at == 0 || at == toc.postings_table {
        return Ok(());
    }
    cover_section(index, at, "the label offset table", cover);
    let mut rows = Cursor::at(index.bytes(), at as usize).section()?;
    for _ in 0..rows.be32()? {
        for _ in 0..rows.uvarint()? {
            rows.uvarint_bytes()?;
        }
        let offset = rows.uvarint()?;
        Cursor::at(index.bytes(), usize::try_from(offset).unwrap_or(usize::MAX)).section()?;
        cover_section(index, offset, "a label index", cover);
    }
    Ok(())
}

/// A section: its length in four bytes, so many bytes, a checksum. One that does not fit is noted where it is read.
fn cover_section(index: &IndexReader, at: u64, what: &'static str, cover: &mut Cover) {
    let start = usize::try_from(at).unwrap_or(usize::MAX);
    if let Ok(len) = Cursor::at(index.bytes(), start).be32() {
        cover.add(at, at + 4 + u64::from(len) + 4, what);
    }
}

/// Where the series at `at` ends, its checksum included.
fn entry_end(index: &IndexReader, at: u64) -> Option<u64> {
    let mut cursor = Cursor::at(index.bytes(), usize::try_from(at).ok()?);
    let len = cursor.uvarint().ok()?;
    (cursor.position() as u64).checked_add(len)?.checked_add(4)
}
