//! The sparse header of an index: what is kept in memory of a walk over symbols and postings offset
//! table, in a file of its own, so that the next reader need not walk. `docs/format/sparse.md` draws it.

use std::io::Write;
use std::path::Path;

use ::bytes::Bytes;

use super::numbers::Numbers;
use super::pages::Pages;
use super::symbols::{self, Symbols};
use super::table::{OffsetTable, Parts};
use super::{TOC_LEN, Toc};
use crate::bytes::Cursor;

/// The file's name where it lies in a folder of the block's name.
pub const SPARSE_FILE: &str = "index.sparse";
const MAGIC: u32 = 0xE5CE_12D5;
const VERSION: u8 = 1;
/// Only this version of the index has one.
const INDEX_VERSION: u8 = 2;

/// Of which index a header is: its length, and the checksums of its table of contents, its symbols and
/// its postings offset table as they stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    len: u64,
    toc: u32,
    symbols: u32,
    table: u32,
}

impl Identity {
    fn of(index: &[u8], toc: Toc) -> Option<Self> {
        let stored = |at: usize| Cursor::at(index, at).be32().ok();
        let crc_of = |section: u64| {
            let at = usize::try_from(section).ok()?;
            stored(at.checked_add(4)?.checked_add(stored(at)? as usize)?)
        };
        Some(Self {
            len: index.len() as u64,
            toc: Cursor::at(index, index.len().checked_sub(4)?).be32().ok()?,
            symbols: crc_of(toc.symbols)?,
            table: crc_of(toc.postings_table)?,
        })
    }
}

/// The header's bytes; `None` where the index is of a kind that has none.
pub(super) fn encode(index: &[u8], toc: Toc, symbols: &Symbols, table: &OffsetTable) -> Option<Vec<u8>> {
    if index.get(4) != Some(&INDEX_VERSION) || !table.is_sorted() || toc.symbols == 0 || toc.postings_table == 0 {
        return None;
    }
    let identity = Identity::of(index, toc)?;
    let (symbol_sums, table_sums) = (Pages::sums_of(symbols.part(index)), Pages::sums_of(table.part(index)));
    let Parts { names, sampled, keys, .. } = &table.parts;
    let parts = [&symbols.sampled, &symbol_sums, names, sampled, keys, &table_sums];
    let mut out = Vec::with_capacity(64 + parts.iter().map(|p| p.bytes().len()).sum::<usize>());
    out.extend_from_slice(&MAGIC.to_be_bytes());
    out.extend_from_slice(&[VERSION, 0, 0, 0]);
    out.extend_from_slice(&identity.len.to_be_bytes());
    for number in [identity.toc, identity.symbols, identity.table, u32::try_from(symbols.count()).ok()?] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
    }
    for part in parts {
        out.extend_from_slice(part.bytes());
    }
    out.extend_from_slice(&crc32c::crc32c(&out).to_be_bytes());
    Some(out)
}

/// What the header says, if it is sound and of this index.
pub(super) fn decode(header: &Bytes, index: &[u8], toc: Toc) -> Option<(Symbols, OffsetTable)> {
    let (body, crc) = header.split_last_chunk()?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
        return None;
    }
    let mut cursor = Cursor::at(body, 0);
    let mut number = || cursor.be32().ok();
    if number()? != MAGIC || number()? != u32::from(VERSION) << 24 {
        return None;
    }
    let len = u64::from(number()?) << 32 | u64::from(number()?);
    let identity = Identity { len, toc: number()?, symbols: number()?, table: number()? };
    if Some(identity) != Identity::of(index, toc) {
        return None;
    }
    let count = number()? as usize;
    let lengths = [number()?, number()?, number()?, number()?, number()?, number()?];
    let mut parts = lengths.into_iter().map(|len| {
        let part = cursor.take((len as usize).checked_mul(4)?).ok()?;
        Some(Numbers::new(header.slice_ref(part)))
    });
    let mut part = || parts.next().flatten();
    let (sampled, symbol_sums) = (part()?, part()?);
    let (names, table_sums) = ([part()?, part()?, part()?], part()?);
    let (symbols_at, table_at) = (section(index, toc.symbols)?, section(index, toc.postings_table)?);
    let symbols_at = symbols_at.start + 4..symbols_at.end;
    let fits = sampled.len() == count.div_ceil(symbols::STRIDE)
        && symbol_sums.len() == Pages::count(symbols_at.len())
        && table_sums.len() == Pages::count(table_at.len());
    if !fits {
        return None;
    }
    let symbols = Symbols::of(INDEX_VERSION, count, symbols_at, sampled).with_pages(symbol_sums);
    let table = Parts::sorted(table_at, names)?;
    Some((symbols, OffsetTable::of(table).with_pages(table_sums)))
}

/// Where the body of a section lies, if it lies before the table of contents.
fn section(index: &[u8], at: u64) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(at).ok()?.checked_add(4)?;
    let end = start.checked_add(Cursor::at(index, start - 4).be32().ok()? as usize)?;
    (start + 4 <= end && end + 4 + TOC_LEN <= index.len()).then_some(start..end)
}

/// Puts the header where readers find it whole or not at all; makes the folder. Without it they walk.
pub(super) fn keep(path: &Path, header: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    // Another reader of this process may be at it too: one is enough.
    let mut file = std::fs::File::create_new(&aside)?;
    file.write_all(header).and_then(|()| std::fs::rename(&aside, path)).inspect_err(|_| {
        let _gone = std::fs::remove_file(&aside);
    })
}

#[cfg(test)]
mod tests;
