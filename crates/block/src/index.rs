//! The `index` file: symbols, series, postings and the tables that lead to them.
//!
//! Layout: Prometheus' index format, version 2 (series references are offsets in units of 16 bytes,
//! symbol references are numbers) and version 1 (both are byte offsets). Opening reads the table of
//! contents only; symbols and the postings offset table are walked, and their checksums verified, when
//! they are first asked for. Of each, one position in a few stays in memory, and can be left in a file
//! beside the index, the sparse header, with which later readers need not walk.

mod numbers;
mod pages;
mod ranged;
mod rows;
mod series;
mod sparse;
mod symbols;
mod table;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ::bytes::Bytes;

use crate::bytes::{Cursor, check_crc};
use crate::{Corrupt, Postings, prefetch};

pub use ranged::{NextChunk, RangedIndex, RangedReader, Ranges};
pub use series::{ChunkRef, SeriesEntry};
pub use sparse::SPARSE_FILE;
use symbols::Symbols;
use table::OffsetTable;
pub(crate) use table::{Entry, NameEntries};

/// The file's name within a block.
pub const INDEX_FILE: &str = "index";
/// The first four bytes.
pub const MAGIC: u32 = 0xBAAA_D700;
/// Series of version 2 begin at multiples of this, and their references count in it.
pub const SERIES_ALIGN: u64 = 16;
pub(crate) const HEADER_LEN: usize = 5;
pub(crate) const TOC_LEN: usize = 6 * 8 + 4;

/// Where the parts of an index file begin, as byte offsets. Zero: the part does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toc {
    pub symbols: u64,
    pub series: u64,
    /// Also the end of the series section.
    pub label_indices: u64,
    pub label_indices_table: u64,
    pub postings: u64,
    pub postings_table: u64,
}

/// Reads an index file that lies in memory or is mapped into it. Shared between threads freely.
///
/// Every method gives [`Corrupt`] (with file and offset) on damaged bytes and never panics; work and
/// memory are bounded by the file's size.
#[derive(Debug)]
pub struct IndexReader {
    bytes: Bytes,
    version: u8,
    toc: Toc,
    sparse: Option<SparseHeader>,
    symbols: OnceLock<Result<Symbols, Corrupt>>,
    table: OnceLock<Result<OffsetTable, Corrupt>>,
}

/// Where the sparse header is, or may be left.
#[derive(Debug)]
struct SparseHeader {
    path: PathBuf,
    looked_for: OnceLock<()>,
}

impl IndexReader {
    /// Over the whole file's bytes. Anything that is `AsRef<[u8]> + Send + 'static` becomes [`Bytes`]
    /// without a copy through `Bytes::from_owner`.
    ///
    /// # Errors
    /// When header or table of contents are damaged, or the version is neither 1 nor 2.
    pub fn new(bytes: Bytes) -> Result<Self, Corrupt> {
        let (version, toc) = read_frame(&bytes).map_err(named)?;
        Ok(Self { bytes, version, toc, sparse: None, symbols: OnceLock::new(), table: OnceLock::new() })
    }

    /// Maps the file into memory.
    ///
    /// # Errors
    /// As [`new`](Self::new); a file that cannot be opened is damaged at offset 0.
    pub fn open(path: &Path) -> Result<Self, Corrupt> {
        Self::new(crate::map_file(path)?)
    }

    /// Uses the sparse header at `path` in place of walking over symbols and postings offset table. Where there
    /// is none, or it is damaged or of another index, the first use walks and leaves one there: written
    /// aside and renamed, and only if the folder can be written to.
    #[must_use]
    pub fn with_sparse_header(self, path: PathBuf) -> Self {
        Self { sparse: Some(SparseHeader { path, looked_for: OnceLock::new() }), ..self }
    }

    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    #[must_use]
    pub fn toc(&self) -> Toc {
        self.toc
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes held of what was walked so far, on the heap or of a mapped sparse header; the index itself is
    /// not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let symbols = self.symbols.get().and_then(|s| s.as_ref().ok()).map_or(0, Symbols::heap_bytes);
        symbols + self.table.get().and_then(|t| t.as_ref().ok()).map_or(0, OffsetTable::heap_bytes)
    }

    /// How many symbols there are.
    ///
    /// # Errors
    /// When the symbol table is damaged.
    pub fn symbol_count(&self) -> Result<usize, Corrupt> {
        Ok(self.symbols()?.count())
    }

    /// The string that a series or [`symbol_ref`](Self::symbol_ref) refers to.
    ///
    /// # Errors
    /// When the symbol table is damaged or has no such symbol.
    pub fn symbol(&self, reference: u32) -> Result<&str, Corrupt> {
        self.symbols()?.get(&self.bytes, reference).map_err(named)
    }

    /// The reference of a string, if it is a symbol.
    ///
    /// # Errors
    /// When the symbol table is damaged.
    pub fn symbol_ref(&self, text: &str) -> Result<Option<u32>, Corrupt> {
        self.symbols()?.find(&self.bytes, text).map_err(named)
    }

    /// All symbols in order, those that no series uses included.
    ///
    /// # Errors
    /// When the symbol table is damaged.
    pub fn all_symbols(&self) -> Result<Vec<&str>, Corrupt> {
        self.symbols()?.all(&self.bytes).map_err(named)
    }

    /// All label names, sorted.
    ///
    /// # Errors
    /// When the postings offset table is damaged.
    pub fn label_names(&self) -> Result<Vec<&str>, Corrupt> {
        self.table()?.names(&self.bytes).map_err(named)
    }

    /// All values of a label, sorted; none if no series has it.
    ///
    /// # Errors
    /// When the postings offset table is damaged.
    pub fn label_values(&self, name: &str) -> Result<Vec<&str>, Corrupt> {
        self.entries(name)?.map_or(Ok(Vec::new()), NameEntries::values)
    }

    /// How many values a label has, without walking over them.
    ///
    /// # Errors
    /// When the postings offset table is damaged.
    pub fn label_value_count(&self, name: &str) -> Result<usize, Corrupt> {
        Ok(self.entries(name)?.map_or(0, |e| e.len()))
    }

    /// The series that have the label with this value; none if the pair does not occur.
    ///
    /// # Errors
    /// When the postings offset table or the list is damaged.
    pub fn postings(&self, name: &str, value: &str) -> Result<Postings<'_>, Corrupt> {
        match self.entries(name)? {
            Some(entries) => match entries.find(value.as_bytes())? {
                Some(entry) => self.postings_at(entry.offset),
                None => Ok(Postings::default()),
            },
            None => Ok(Postings::default()),
        }
    }

    /// All series, in label order.
    ///
    /// # Errors
    /// As [`postings`](Self::postings).
    pub fn all_postings(&self) -> Result<Postings<'_>, Corrupt> {
        self.postings("", "")
    }

    /// The list at a byte offset, its checksum verified.
    pub(crate) fn postings_at(&self, offset: u64) -> Result<Postings<'_>, Corrupt> {
        read_postings(&self.bytes, offset).map_err(named)
    }

    /// Asks for the begin of the list at a byte offset ahead of its turn.
    pub(crate) fn prefetch_postings(&self, offset: u64) {
        const BYTES: usize = 128;
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        prefetch(self.bytes.get(at..at.saturating_add(BYTES)).unwrap_or_default());
    }

    /// The number of series in the list at a byte offset, as the list itself says.
    pub(crate) fn postings_len_at(&self, offset: u64) -> Result<usize, Corrupt> {
        let mut cursor = Cursor::at(&self.bytes, usize::try_from(offset).unwrap_or(usize::MAX));
        let len = cursor.be32().map_err(named)? as usize;
        let count = cursor.be32().map_err(named)? as usize;
        if len != 4 + 4 * count || cursor.remaining() < 4 * count {
            return Err(named(cursor.corrupt(format!("a list of {count} series in {len} bytes"))));
        }
        Ok(count)
    }

    /// Whether every series has the label. Where the place that its lists take says that it may be so, their
    /// members are counted, once.
    pub(crate) fn is_on_all(&self, entries: NameEntries<'_>) -> Result<bool, Corrupt> {
        let all = match self.entries("")?.map(|e| e.find(b"")).transpose()?.flatten() {
            Some(all) => self.postings_len_at(all.offset)?,
            None => return Ok(false),
        };
        let (Some(first), Some(last)) = (entries.rows().next()?, entries.last()?) else { return Ok(all == 0) };
        // Lists lie one behind the other: a length, a number and a checksum each beside the members.
        let between =
            last.offset.checked_sub(first.offset).and_then(|len| (len / 4).checked_sub(3 * (entries.len() as u64 - 1)));
        if between.map(|n| n + self.postings_len_at(last.offset).unwrap_or(0) as u64) != Some(all as u64) {
            return Ok(false);
        }
        let count = || {
            let (mut rows, mut members) = (entries.rows(), 0);
            while let Some(entry) = rows.next()? {
                members += self.postings_len_at(entry.offset)?;
            }
            Ok(members)
        };
        Ok(entries.series(count)? == all)
    }

    /// The table's entries of one label name.
    pub(crate) fn entries(&self, name: &str) -> Result<Option<NameEntries<'_>>, Corrupt> {
        self.table()?.entries(&self.bytes, name).map_err(named)
    }

    /// Byte offset of a series.
    pub(crate) fn series_offset(&self, reference: u32) -> u64 {
        if self.version == 1 { u64::from(reference) } else { u64::from(reference) * SERIES_ALIGN }
    }

    /// One past the largest reference that a series can have.
    pub(crate) fn series_ref_end(&self) -> u64 {
        let end = if self.toc.label_indices > 0 { self.toc.label_indices } else { self.bytes.len() as u64 };
        if self.version == 1 { end } else { end / SERIES_ALIGN + 1 }
    }

    fn symbols(&self) -> Result<&Symbols, Corrupt> {
        self.look_for_sparse();
        let read = || Symbols::read(&self.bytes, self.version, self.toc.symbols).map_err(named);
        self.symbols.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    fn table(&self) -> Result<&OffsetTable, Corrupt> {
        self.look_for_sparse();
        let read = || OffsetTable::read(&self.bytes, self.toc.postings_table).map_err(named);
        self.table.get_or_init(read).as_ref().map_err(Clone::clone)
    }
}

impl IndexReader {
    /// Fills symbols and table from the sparse header, or leaves one.
    fn look_for_sparse(&self) {
        let Some(SparseHeader { path, looked_for }) = &self.sparse else { return };
        looked_for.get_or_init(|| {
            let found = path.exists().then(|| crate::map_file(path).ok()).flatten();
            let (symbols, table) = match found.and_then(|f| sparse::decode(&f, &self.bytes, self.toc)) {
                Some((symbols, table)) => (Ok(symbols), Ok(table)),
                None => {
                    let symbols = Symbols::read(&self.bytes, self.version, self.toc.symbols).map_err(named);
                    let table = OffsetTable::read(&self.bytes, self.toc.postings_table).map_err(named);
                    if let (Ok(symbols), Ok(table)) = (&symbols, &table)
                        && let Some(header) = sparse::encode(&self.bytes, self.toc, symbols, table)
                    {
                        // Without it the next reader walks too.
                        let _kept = sparse::keep(path, &header);
                    }
                    (symbols, table)
                }
            };
            let _first = (self.symbols.set(symbols), self.table.set(table));
        });
    }
}

fn named(e: Corrupt) -> Corrupt {
    e.within(INDEX_FILE, 0)
}

fn read_postings(bytes: &[u8], offset: u64) -> Result<Postings<'_>, Corrupt> {
    let mut body = Cursor::at(bytes, usize::try_from(offset).unwrap_or(usize::MAX)).section()?;
    let count = body.be32()? as usize;
    if body.remaining() != count.saturating_mul(4) {
        return Err(body.corrupt(format!("a list of {count} series in {} bytes", body.remaining())));
    }
    Ok(Postings::new(body.take(count * 4)?))
}

fn read_frame(bytes: &[u8]) -> Result<(u8, Toc), Corrupt> {
    let Some(start) = bytes.len().checked_sub(TOC_LEN).filter(|&start| start >= HEADER_LEN) else {
        return Err(Corrupt::new(0, format!("{} bytes are too few for an index", bytes.len())));
    };
    Ok((read_version(bytes)?, read_toc(&bytes[start..], start as u64)?))
}

/// From the first bytes of the file.
fn read_version(bytes: &[u8]) -> Result<u8, Corrupt> {
    let mut cursor = Cursor::at(bytes, 0);
    let magic = cursor.be32()?;
    if magic != MAGIC {
        return Err(Corrupt::new(0, format!("magic number is {magic:08x}, expected {MAGIC:08x}")));
    }
    let version = cursor.byte()?;
    if !(1..=2).contains(&version) {
        return Err(Corrupt::new(4, format!("unknown index version {version}")));
    }
    Ok(version)
}

/// From the last bytes of the file, as many as [`TOC_LEN`], which begin at `start`.
fn read_toc(bytes: &[u8], start: u64) -> Result<Toc, Corrupt> {
    let moved = |e: Corrupt| Corrupt { offset: e.offset + start, ..e };
    let mut cursor = Cursor::at(bytes, 0);
    let mut number = || cursor.be64().map_err(moved);
    let toc = Toc {
        symbols: number()?,
        series: number()?,
        label_indices: number()?,
        label_indices_table: number()?,
        postings: number()?,
        postings_table: number()?,
    };
    let stored = cursor.be32().map_err(moved)?;
    check_crc(stored, &bytes[..TOC_LEN - 4], 0).map_err(moved)?;
    let parts = [toc.symbols, toc.series, toc.label_indices, toc.label_indices_table, toc.postings, toc.postings_table];
    if let Some(outside) = parts.iter().find(|&&offset| offset > start) {
        return Err(Corrupt::new(start, format!("a part begins at {outside}, outside the file")));
    }
    Ok(toc)
}
