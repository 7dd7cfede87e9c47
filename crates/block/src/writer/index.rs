use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::NewChunk;
use super::postings::LabelPairs;
use super::symbols::Symbols;
use crate::WriteError;
use crate::bytes::{put_text, put_uvarint, put_varint, text_len, uvarint_len};
use crate::index::{MAGIC, SERIES_ALIGN, Toc};

const VERSION: u8 = 2;

/// Writes an index file from front to back.
#[derive(Debug)]
pub(super) struct IndexWriter {
    out: Output,
    toc: Toc,
    last: Vec<(u32, u32)>,
    last_chunk_ref: u64,
    /// References of all series.
    series: Vec<u32>,
    series_max: u64,
    pairs: LabelPairs,
    body: Vec<u8>,
}

impl IndexWriter {
    /// Writes header and symbols.
    pub(super) fn create(path: &Path, symbols: &Symbols) -> Result<Self, WriteError> {
        let mut out = Output::create(path)?;
        out.write(&MAGIC.to_be_bytes())?;
        out.write(&[VERSION])?;
        let toc = Toc { symbols: out.position, ..Toc::default() };
        let texts = || (0..symbols.len() as u32).map(|number| symbols.get(number));
        let len = 4 + texts().map(text_len).sum::<u64>();
        let mut section = Section::begin(&mut out, len, "the symbol table")?;
        section.write(&(symbols.len() as u32).to_be_bytes())?;
        let mut entry = Vec::new();
        for text in texts() {
            entry.clear();
            put_text(&mut entry, text);
            section.write(&entry)?;
        }
        section.end()?;
        Ok(Self {
            toc: Toc { series: out.position, ..toc },
            out,
            last: Vec::new(),
            last_chunk_ref: 0,
            series: Vec::new(),
            series_max: 0,
            pairs: LabelPairs::new(symbols.len()),
            body: Vec::new(),
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.out.position
    }

    pub(super) fn add_series(
        &mut self,
        labels: &[(u32, u32)],
        chunks: &[NewChunk<'_>],
        refs: &[u64],
    ) -> Result<(), WriteError> {
        // Symbols are numbered in order, so numbers compare as strings do.
        if !self.series.is_empty() && labels <= &self.last[..] {
            return Err(WriteError::Input(format!("series {} does not ascend", self.series.len())));
        }
        if !labels.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(WriteError::Input(format!("the labels of series {} do not ascend", self.series.len())));
        }
        if refs.first().is_some_and(|&first| first < self.last_chunk_ref) {
            return Err(WriteError::Input("chunk references do not ascend".to_owned()));
        }
        self.out.pad(SERIES_ALIGN)?;
        let reference = u32::try_from(self.out.position / SERIES_ALIGN);
        let reference = reference.map_err(|_| WriteError::TooLarge("the series section"))?;

        self.body.clear();
        put_uvarint(&mut self.body, labels.len() as u64);
        for &(name, value) in labels {
            put_uvarint(&mut self.body, u64::from(name));
            put_uvarint(&mut self.body, u64::from(value));
        }
        put_chunks(&mut self.body, chunks, refs);
        let len = self.body.len();
        let crc = crc32c::crc32c(&self.body);
        self.body.extend_from_slice(&crc.to_be_bytes());
        // The length stands before the body: appended, then turned to the front.
        put_uvarint(&mut self.body, len as u64);
        self.body.rotate_right(uvarint_len(len as u64) as usize);
        self.out.write(&self.body)?;

        if let Some(&before) = self.series.last() {
            self.series_max = self.series_max.max(u64::from(reference - before) * SERIES_ALIGN);
        }
        self.pairs.add(labels, reference)?;
        self.series.push(reference);
        self.last.clear();
        self.last.extend_from_slice(labels);
        self.last_chunk_ref = refs.last().copied().unwrap_or(self.last_chunk_ref);
        Ok(())
    }

    /// Writes postings, offset table and table of contents. Gives the distance of the two series that
    /// lie farthest apart.
    pub(super) fn finish(self, symbols: &Symbols) -> Result<u64, WriteError> {
        let Self { mut out, mut toc, series, series_max, pairs, .. } = self;
        toc.label_indices = out.position;
        toc.postings = out.position;
        out.pad(4)?;
        let lists = pairs.write(&mut out, &series)?;
        toc.label_indices_table = out.position;
        toc.postings_table = out.position;

        let pairs = lists.by_pair.iter().map(|&(name, value, offset)| (symbols.get(name), symbols.get(value), offset));
        let all: (&[u8], &[u8], u64) = (&[], &[], lists.all);
        let rows = || [all].into_iter().chain(pairs.clone());
        let row_len =
            |(name, value, offset): (&[u8], &[u8], u64)| 1 + text_len(name) + text_len(value) + uvarint_len(offset);
        let len = 4 + rows().map(row_len).sum::<u64>();
        let mut section = Section::begin(&mut out, len, "the postings offset table")?;
        let count =
            u32::try_from(lists.by_pair.len() + 1).map_err(|_| WriteError::TooLarge("the number of label pairs"))?;
        section.write(&count.to_be_bytes())?;
        let mut row = Vec::new();
        for (name, value, offset) in rows() {
            row.clear();
            put_uvarint(&mut row, 2);
            put_text(&mut row, name);
            put_text(&mut row, value);
            put_uvarint(&mut row, offset);
            section.write(&row)?;
        }
        section.end()?;
        out.write_toc(toc)?;
        out.flush()?;
        Ok(series_max)
    }
}

fn put_chunks(body: &mut Vec<u8>, chunks: &[NewChunk<'_>], refs: &[u64]) {
    put_uvarint(body, chunks.len() as u64);
    let mut last: Option<(i64, u64)> = None;
    for (chunk, &reference) in chunks.iter().zip(refs) {
        match last {
            None => put_varint(body, chunk.min_time),
            Some((max_time, _)) => put_uvarint(body, chunk.min_time.wrapping_sub(max_time).cast_unsigned()),
        }
        put_uvarint(body, chunk.max_time.wrapping_sub(chunk.min_time).cast_unsigned());
        match last {
            None => put_uvarint(body, reference),
            Some((_, before)) => put_varint(body, reference.wrapping_sub(before).cast_signed()),
        }
        last = Some((chunk.max_time, reference));
    }
}

/// A file that knows its position.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    pub(super) position: u64,
}

impl Output {
    fn create(path: &Path) -> Result<Self, WriteError> {
        // Also read: the postings come from the series written.
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
        let file = file.map_err(|source| WriteError::Io { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file: BufWriter::with_capacity(1 << 20, file), position: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.position += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }

    pub(super) fn pad(&mut self, size: u64) -> Result<(), WriteError> {
        let missing = (size - self.position % size) % size;
        self.write(&[0; 16][..missing as usize])
    }

    /// The file for reading, everything written to it.
    pub(super) fn reopen(&mut self) -> Result<(PathBuf, File), WriteError> {
        self.flush()?;
        let file = File::open(&self.path).map_err(|source| WriteError::Io { path: self.path.clone(), source })?;
        Ok((self.path.clone(), file))
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.file.flush().map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }

    fn write_toc(&mut self, toc: Toc) -> Result<(), WriteError> {
        let parts =
            [toc.symbols, toc.series, toc.label_indices, toc.label_indices_table, toc.postings, toc.postings_table];
        let mut body: Vec<u8> = parts.iter().flat_map(|p| p.to_be_bytes()).collect();
        let crc = crc32c::crc32c(&body);
        body.extend_from_slice(&crc.to_be_bytes());
        self.write(&body)
    }
}

/// A part of known length, with its length before and its checksum behind.
pub(super) struct Section<'a> {
    out: &'a mut Output,
    crc: u32,
}

impl<'a> Section<'a> {
    pub(super) fn begin(out: &'a mut Output, len: u64, what: &'static str) -> Result<Self, WriteError> {
        let len = u32::try_from(len).map_err(|_| WriteError::TooLarge(what))?;
        out.write(&len.to_be_bytes())?;
        Ok(Self { out, crc: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.out.write(bytes)
    }

    pub(super) fn end(self) -> Result<(), WriteError> {
        self.out.write(&self.crc.to_be_bytes())
    }
}
