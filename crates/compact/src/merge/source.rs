//! One input of a merge: its series in order, its chunks through a window of the chunk files.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use block::segment::{read_chunk, segment_name};
use block::{BlockWriter, ChunkRef, Corrupt, IndexReader, SeriesEntry, Ulid};
use bytes::Bytes;

use super::corrupt;
use super::weave::Part;
use crate::Result;

/// Bytes read of a chunk file at a time.
const WINDOW_BYTES: u64 = 4 << 20;
/// No chunk is larger: a damaged length does not make the window grow beyond this.
const CHUNK_BYTES_MAX: u64 = 256 << 20;

/// Reads a range of a segment file, numbered from 0.
pub type ReadSegment = Box<dyn Fn(u32, Range<u64>) -> Result<Bytes> + Send>;

/// A block to be merged.
pub struct Input {
    pub id: Ulid,
    pub index: IndexReader,
    /// Bytes of each segment file.
    pub segments: Vec<u64>,
    pub read: ReadSegment,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("id", &self.id).field("segments", &self.segments).finish_non_exhaustive()
    }
}

/// From an input's symbol references to the new block's symbol numbers.
#[derive(Debug)]
enum SymbolMap {
    /// Index version 2 refers to symbols by number.
    Numbers(Vec<u32>),
    /// Version 1 by offset.
    Offsets(HashMap<u32, u32>),
}

/// An input on its way through its series.
#[derive(Debug)]
pub(super) struct Source {
    input: Input,
    symbols: SymbolMap,
    postings: Vec<u32>,
    next: usize,
    entry: SeriesEntry,
    window: Window,
    /// The series at hand, in symbol numbers of the new block: these ascend as the strings do.
    pub(super) labels: Vec<(u32, u32)>,
    /// There is no series at hand.
    pub(super) done: bool,
}

/// Part of a segment file in memory.
#[derive(Debug, Default)]
struct Window {
    segment: u32,
    start: u64,
    bytes: Bytes,
}

/// All symbols of all inputs, sorted and unique.
pub(super) fn all_symbols(inputs: &[Input]) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for input in inputs {
        let symbols = input.index.all_symbols().map_err(|e| corrupt(input.id, e))?;
        if let Some(pair) = symbols.windows(2).find(|pair| pair[0] >= pair[1]) {
            let what = format!("symbol {:?} comes before {:?}", pair[0], pair[1]);
            return Err(corrupt(input.id, Corrupt::new(0, what).within("index", 0)));
        }
        let mut merged = Vec::with_capacity(all.len().max(symbols.len()));
        let mut old = all.into_iter().peekable();
        for symbol in symbols {
            while let Some(before) = old.next_if(|o| o.as_str() < symbol) {
                merged.push(before);
            }
            let equal = old.next_if(|o| o == symbol);
            merged.push(equal.unwrap_or_else(|| symbol.to_owned()));
        }
        merged.extend(old);
        all = merged;
    }
    Ok(all)
}

impl Source {
    /// Stands at the first series.
    pub(super) fn open(input: Input, writer: &BlockWriter) -> Result<Self> {
        let symbols = Self::map_symbols(&input, writer).map_err(|e| corrupt(input.id, e))?;
        let postings = input.index.all_postings().map_err(|e| corrupt(input.id, e))?.to_vec();
        let mut source = Self {
            input,
            symbols,
            postings,
            next: 0,
            entry: SeriesEntry::default(),
            window: Window::default(),
            labels: Vec::new(),
            done: false,
        };
        source.advance()?;
        Ok(source)
    }

    pub(super) fn id(&self) -> Ulid {
        self.input.id
    }

    fn map_symbols(input: &Input, writer: &BlockWriter) -> Result<SymbolMap, Corrupt> {
        let number =
            |text: &str| writer.symbol(text).ok_or_else(|| Corrupt::new(0, format!("symbol {text:?} is lost")));
        if input.index.version() == 2 {
            let numbers = input.index.all_symbols()?.into_iter().map(number).collect::<Result<_, _>>()?;
            return Ok(SymbolMap::Numbers(numbers));
        }
        let mut offsets = HashMap::new();
        for text in input.index.all_symbols()? {
            if let Some(reference) = input.index.symbol_ref(text)? {
                offsets.insert(reference, number(text)?);
            }
        }
        Ok(SymbolMap::Offsets(offsets))
    }

    /// Goes to the next series.
    pub(super) fn advance(&mut self) -> Result<()> {
        let Some(&reference) = self.postings.get(self.next) else {
            self.done = true;
            self.labels.clear();
            return Ok(());
        };
        self.next += 1;
        self.read_series(reference).map_err(|e| corrupt(self.input.id, e))
    }

    fn read_series(&mut self, reference: u32) -> Result<(), Corrupt> {
        self.input.index.series(reference, &mut self.entry)?;
        let number = |symbol: u32| match &self.symbols {
            SymbolMap::Numbers(numbers) => numbers.get(symbol as usize).copied(),
            SymbolMap::Offsets(offsets) => offsets.get(&symbol).copied(),
        };
        let mut labels = Vec::with_capacity(self.entry.labels.len());
        for (name, value) in &self.entry.labels {
            let (Some(name), Some(value)) = (number(*name), number(*value)) else {
                let what = format!("series {reference} refers to a symbol that does not exist");
                return Err(Corrupt::new(0, what).within("index", 0));
            };
            labels.push((name, value));
        }
        if self.next > 1 && labels <= self.labels {
            let what = format!("series {reference} does not come after the one before it");
            return Err(Corrupt::new(0, what).within("index", 0));
        }
        self.labels = labels;
        Ok(())
    }

    /// Adds the chunks of the series at hand to `parts`.
    pub(super) fn read_chunks(&mut self, source: usize, parts: &mut Vec<Part>) -> Result<()> {
        for chunk in &self.entry.chunks {
            parts.push(self.window.chunk(&self.input, *chunk, source)?);
        }
        Ok(())
    }
}

impl Window {
    fn chunk(&mut self, input: &Input, chunk: ChunkRef, source: usize) -> Result<Part> {
        let (segment, offset) = (chunk.segment(), u64::from(chunk.offset()));
        let bad = |e: Corrupt, base: u64| corrupt(input.id, e.within(&segment_name(segment), base));
        let Some(&size) = input.segments.get(segment as usize) else {
            return Err(bad(Corrupt::new(offset, format!("segment {segment} of {}", input.segments.len())), 0));
        };
        let mut window_bytes = WINDOW_BYTES;
        loop {
            let end = self.start + self.bytes.len() as u64;
            if self.segment == segment && (self.start..end).contains(&offset) {
                let at = (offset - self.start) as usize;
                match read_chunk(&self.bytes, at, true) {
                    Ok(raw) => {
                        let payload = self.bytes.slice(raw.payload_offset..raw.payload_offset + raw.payload.len());
                        return Ok(Part {
                            min_time: chunk.min_time,
                            max_time: chunk.max_time,
                            encoding: raw.encoding,
                            payload,
                            source,
                        });
                    }
                    // Perhaps only cut off by the window's end.
                    Err(e) if end >= size || (at == 0 && self.bytes.len() as u64 >= CHUNK_BYTES_MAX) => {
                        return Err(bad(e, self.start));
                    }
                    Err(_) if at == 0 => window_bytes = self.bytes.len() as u64 * 8,
                    Err(_) => {}
                }
            }
            if offset >= size {
                return Err(bad(Corrupt::new(offset, format!("a chunk beyond the file's end at {size}")), 0));
            }
            let range = offset..size.min(offset + window_bytes.min(CHUNK_BYTES_MAX));
            let wanted = range.end - range.start;
            let bytes = (input.read)(segment, range)?;
            if bytes.len() as u64 != wanted {
                return Err(bad(Corrupt::new(offset, format!("{} of {wanted} bytes read", bytes.len())), 0));
            }
            *self = Self { segment, start: offset, bytes };
        }
    }
}
