//! The series of one block as a stream of batches: cursor on the CPU pool, chunks mapped or fetched.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use block::chunk::{Aggregates, sample_count};
use block::postings::Selected;
use block::segment::{Once, read_chunk, segment_name};
use block::{Aggregate, ChunkReader, Corrupt, Encoding, RawChunk, Spread};
use bucket::BlockFile;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use futures::{future, stream};
use model::{MatchOp, Matcher, TimeRange};
use request::Context;
use store::{ChunkList, ChunkMeta, Error, Frame, PartialResponse, Result, SeriesBatch, SeriesRequest, show_matchers};

use crate::admit::{self, ChunkPool};
use crate::ahead::Ahead;
use crate::block::Block;
use crate::cursor::{Ask, BatchSize, Cursor, Rows};
use crate::expanded::Expanded;
use crate::fetched::{Data, Fetched};
use crate::files::{Files, named, unavailable};
use crate::order::Located;

type Parsed<T> = std::result::Result<T, Corrupt>;

/// Fetched for a chunk whose length is not known.
const GUESSED_CHUNK_BYTES: u64 = 16_000;

/// Series in a batch whose chunks are fetched, at most: its bytes are what counts.
const FETCHED_SERIES: usize = 4096;

/// So few series are read at once, where no other thread is needed for that.
const FEW_SERIES: usize = 16;

/// So many chunks ahead their headers are asked for.
const HEADERS_AHEAD: usize = 32;

/// What a block's stream needs.
#[derive(Clone, Debug)]
pub(crate) struct BlockAsk {
    pub(crate) cx: Context,
    pub(crate) files: Arc<Files>,
    pub(crate) block: Arc<Block>,
    pub(crate) matchers: Arc<[Matcher]>,
    pub(crate) request: Arc<SeriesRequest>,
    pub(crate) batch: BatchSize,
    /// How many batches are fetched side by side, where chunks are fetched.
    pub(crate) ahead: usize,
    pub(crate) store_name: Arc<str>,
    pub(crate) fetched: Arc<Fetched>,
    pub(crate) pool: ChunkPool,
    pub(crate) expanded: Option<Expanded>,
}

/// The block's series. What cannot be read of it is missing from the answer, or fails it, as the request
/// wants; a limit or a cancelled request always fails it.
pub(crate) fn block_stream(ask: BlockAsk) -> BoxStream<'static, Result<Frame>> {
    let ask = Arc::new(ask);
    let state = State::Closed(Arc::clone(&ask));
    let frames = stream::unfold(state, move |state| {
        let ask = Arc::clone(&ask);
        async move {
            match state.next().await {
                Ok(next) => next.map(|(batch, state)| (Ok(Frame::Batch(batch)), state)),
                Err(e) => {
                    if let Error::Corrupt(_) = e {
                        ask.files.distrust(ask.block.id).await;
                    }
                    Some((ask.missing(e), State::Done))
                }
            }
        }
    });
    frames.boxed()
}

impl BlockAsk {
    fn missing(&self, e: Error) -> Result<Frame> {
        let e = match e {
            Error::Corrupt(e) => Error::Corrupt(named(e, self.block.id)),
            Error::Exhausted(text) => Error::Exhausted(format!("{}: {text}", show_matchers(&self.request.matchers))),
            other => other,
        };
        let own = matches!(e, Error::Exhausted(_) | Error::Interrupted(_) | Error::BadRequest(_));
        if own || self.request.partial_response == PartialResponse::Abort {
            return Err(e);
        }
        tracing::warn!(block = %self.block.id, err = %e, "a block is missing from an answer");
        Ok(Frame::Missing(self.block.missing(self.request.range, &self.store_name, &e.to_string())))
    }
}

enum State {
    Closed(Arc<BlockAsk>),
    Open(Box<Open>),
    Done,
}

struct Open {
    ask: Arc<BlockAsk>,
    task: Arc<Ask>,
    segments: Option<Arc<ChunkReader>>,
    /// What the index cache has of the selection.
    known: Option<Selected>,
    /// `None` before the first batch.
    cursor: Option<Cursor>,
    /// Nothing is left to begin.
    last: bool,
    /// Batches whose chunks are being fetched.
    fetching: Ahead<Result<SeriesBatch>>,
}

impl State {
    async fn next(self) -> Result<Option<(SeriesBatch, Self)>> {
        let (mut open, first) = match self {
            Self::Closed(ask) => Open::first(ask).await?,
            Self::Open(open) => (open, None),
            Self::Done => return Ok(None),
        };
        let batch = match first {
            Some(first) => first,
            None => open.next_batch().await?,
        };
        if batch.is_empty() {
            return Ok(None);
        }
        let rest = if open.is_done() { Self::Done } else { Self::Open(open) };
        Ok(Some((batch, rest)))
    }
}

impl Open {
    /// Opens the block and reads its first batch. What is kept of the index and turns out to be damaged is
    /// fetched again, once.
    async fn first(ask: Arc<BlockAsk>) -> Result<(Box<Self>, Option<SeriesBatch>)> {
        let again = Arc::clone(&ask);
        let tried = async {
            let mut open = Box::new(Self::new(ask).await?);
            let first = open.next_batch().await?;
            Ok((open, Some(first)))
        };
        match tried.await {
            Err(Error::Corrupt(e)) if again.files.has_copy(again.block.id) => {
                tracing::warn!(block = %again.block.id, err = %e, "the copy of an index is damaged; fetching it again");
                again.files.distrust(again.block.id).await;
                Ok((Box::new(Self::new(again).await?), None))
            }
            other => other,
        }
    }

    async fn new(ask: Arc<BlockAsk>) -> Result<Self> {
        ask.cx.check()?;
        let index = ask.files.index(&ask.cx, &ask.block, &ask.fetched).await?;
        let segments = if ask.request.skip_chunks { None } else { ask.files.segments(&ask.block).await? };
        let by_range = segments.is_none() && !ask.request.skip_chunks;
        let series = if by_range { ask.batch.series.max(FETCHED_SERIES) } else { ask.batch.series };
        let task = Ask {
            cx: ask.cx.clone(),
            block: Arc::clone(&ask.block),
            index,
            matchers: Arc::clone(&ask.matchers),
            request: Arc::clone(&ask.request),
            by_range,
            batch: BatchSize { series, ..ask.batch },
            fetched: Arc::clone(&ask.fetched),
        };
        let mut known = match &ask.expanded {
            Some(expanded) => expanded.get(ask.block.id, &ask.matchers).await.map(Selected::Own),
            None => None,
        };
        if let (None, Some(ranged)) = (&known, task.index.ranged()) {
            let began = Instant::now();
            let (selected, _again) = ranged.select(&ask.matchers).await?;
            if let Some(expanded) = &ask.expanded {
                expanded.put(ask.block.id, &ask.matchers, &selected, began.elapsed());
            }
            known = Some(selected);
        }
        let fetching = Ahead::default();
        Ok(Self { ask, task: Arc::new(task), segments, known, cursor: None, last: false, fetching })
    }

    fn is_done(&self) -> bool {
        self.last && self.fetching.is_empty()
    }

    /// The next batch; where chunks are fetched, those of the batches after it are asked for as well, as
    /// far as memory is plenty.
    async fn next_batch(&mut self) -> Result<SeriesBatch> {
        while !self.last && (self.fetching.is_empty() || self.may_fetch_ahead()) {
            self.load().await?;
            match self.step().await? {
                // None of those that were loaded is due.
                Step::Batch(batch) if batch.is_empty() => {}
                Step::Fetch(rows) if rows.ends.is_empty() => {}
                Step::Batch(batch) => return held(&self.ask.cx, batch).await,
                Step::Fetch(rows) => {
                    let fetch = Fetch { ask: Arc::clone(&self.ask), task: Arc::clone(&self.task) };
                    self.fetching.start(async move { fetch.batch(rows).await });
                }
            }
        }
        self.fetching.next().await.unwrap_or_else(|| Ok(SeriesBatch::default()))
    }

    fn may_fetch_ahead(&self) -> bool {
        self.fetching.len() < self.ask.ahead && self.ask.pool.is_plenty(&self.ask.cx)
    }

    /// Brings the next series here where the index is read by ranges.
    async fn load(&mut self) -> Result<()> {
        let Some(ranged) = self.task.index.ranged() else { return Ok(()) };
        let mut cursor = match self.cursor.take() {
            Some(cursor) => cursor,
            None => Cursor::open(&self.task, self.known.take(), None)?,
        };
        if let Some((selected, first)) = cursor.unloaded() {
            let window = ranged.window(selected, first, self.task.batch.bytes);
            let count = window.len();
            ranged.load(window).await?;
            cursor.loaded(count);
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    /// Walks on to the next batch, in one job on the pool. Where chunks are mapped, it is complete.
    async fn step(&mut self) -> Result<Step> {
        if let Some(step) = self.short_step() {
            return step;
        }
        let (task, segments) = (Arc::clone(&self.task), self.segments.clone());
        let cursor = self.cursor.take();
        let (known, expanded) = (self.known.take(), self.ask.expanded.clone());
        let job = move || {
            let mut cursor = match cursor {
                Some(cursor) => cursor,
                None => Cursor::open(&task, known, expanded.as_ref())?,
            };
            let (step, last) = walk(&mut cursor, &task, segments.as_deref())?;
            Ok::<_, Error>((cursor, step, last))
        };
        let (cursor, step, last) = self.ask.cx.run(job).await??;
        self.cursor = Some(cursor);
        self.last = last;
        Ok(step)
    }

    /// The same at once; `None` where that may take long.
    fn short_step(&mut self) -> Option<Result<Step>> {
        let Self { ask, task, segments, known, cursor, last, .. } = self;
        let _at_once = ask.cx.at_once()?;
        if cursor.is_none() && known.is_none() && is_cheap(&task.matchers) {
            match Cursor::open(task, None, ask.expanded.as_ref()) {
                Ok(opened) => *cursor = Some(opened),
                Err(e) => return Some(Err(e)),
            }
        }
        let cursor = cursor.as_mut().filter(|cursor| cursor.left() <= FEW_SERIES)?;
        let walked = walk(cursor, task, segments.as_deref());
        Some(walked.map(|(step, is_last)| {
            *last = is_last;
            step
        }))
    }
}

/// Whether few lists tell what is selected.
fn is_cheap(matchers: &[Matcher]) -> bool {
    let plain = |m: &Matcher| matches!(m.op, MatchOp::Equal | MatchOp::NotEqual);
    matchers.iter().all(plain) && matchers.iter().any(|m| m.op == MatchOp::Equal && !m.value.is_empty())
}

/// The next batch, and whether it is the last one.
fn walk(cursor: &mut Cursor, task: &Ask, segments: Option<&ChunkReader>) -> Result<(Step, bool)> {
    let rows = cursor.next(task)?;
    let last = rows.last;
    let step = if task.request.skip_chunks {
        Step::Batch(labels_only(rows))
    } else if let Some(segments) = segments {
        Step::Batch(from_segments(rows, segments, task)?)
    } else {
        Step::Fetch(rows)
    };
    Ok((step, last))
}

/// The batch with a lease on what it holds itself: fetched bytes are covered already, and mapped ones
/// belong to the system.
async fn held(cx: &Context, mut batch: SeriesBatch) -> Result<SeriesBatch> {
    let lease = admit::lease(cx, batch.held_bytes() as u64).await?;
    batch.cover(lease);
    Ok(batch)
}

/// Fetches the chunks of batches.
struct Fetch {
    ask: Arc<BlockAsk>,
    task: Arc<Ask>,
}

impl Fetch {
    /// Reads the chunks' bytes: for all segments side by side, and close ones in one request.
    async fn batch(&self, rows: Rows) -> Result<SeriesBatch> {
        let mut by_segment: std::collections::BTreeMap<u32, Vec<usize>> = std::collections::BTreeMap::new();
        for (i, chunk) in rows.chunks.iter().enumerate() {
            by_segment.entry((chunk.chunk_ref >> 32) as u32).or_default().push(i);
        }
        let reads = by_segment.into_iter().map(|(segment, chunks)| {
            let ranges: Vec<_> = chunks.iter().map(|&i| self.range(&rows.chunks[i])).collect();
            async move {
                let read = self.read(segment, &ranges, ranges.len()).await?;
                Ok::<_, Error>((segment, chunks, read))
            }
        });
        let mut bytes = vec![Bytes::new(); rows.chunks.len()];
        for (segment, chunks, read) in future::try_join_all(reads).await? {
            let mut short = Vec::new();
            for (i, part) in chunks.into_iter().zip(read) {
                if let Some(wanted) = longer(&part) {
                    short.push((i, wanted));
                }
                bytes[i] = part;
            }
            // Only where the index does not tell where a chunk ends.
            let start = |i: usize| rows.chunks[i].chunk_ref & 0xffff_ffff;
            let ranges: Vec<_> = short.iter().map(|&(i, wanted)| start(i)..start(i) + wanted).collect();
            for ((i, _), part) in short.into_iter().zip(self.read(segment, &ranges, 0).await?) {
                bytes[i] = part;
            }
        }
        let task = Arc::clone(&self.task);
        let batch = self.ask.cx.run(move || from_bytes(rows, bytes, &task)).await?.map_err(Error::Corrupt)?;
        held(&self.ask.cx, batch).await
    }

    fn range(&self, chunk: &Located) -> Range<u64> {
        let start = chunk.chunk_ref & 0xffff_ffff;
        let len = if chunk.len > 0 { u64::from(chunk.len) } else { GUESSED_CHUNK_BYTES };
        let segment = self.ask.block.segment_bytes.get((chunk.chunk_ref >> 32) as usize);
        start..(start + len).min(segment.copied().unwrap_or(u64::MAX)).max(start)
    }

    /// Reads ranges, which `chunks` chunks begin with.
    async fn read(&self, segment: u32, ranges: &[Range<u64>], chunks: usize) -> Result<Vec<Bytes>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let (bucket, file) = (&self.ask.files.bucket, BlockFile::Chunks(segment.saturating_add(1)));
        let wanted = ranges.iter().map(|r| r.end - r.start).sum();
        self.ask.fetched.check(wanted)?;
        let room = self.ask.pool.take(&self.ask.cx, wanted).await?;
        let read = bucket.read_ranges(self.ask.block.id, file, ranges, bucket.default_gap()).await;
        let read = read.map_err(|e| unavailable(&e))?;
        let bytes = read.iter().map(|b| b.len() as u64).sum();
        self.ask.fetched.add(&self.ask.cx, Data::Chunks, chunks as u64, bytes);
        Ok(read.into_iter().map(|bytes| room.hold(bytes)).collect())
    }
}

enum Step {
    Batch(SeriesBatch),
    Fetch(Rows),
}

/// How many bytes the chunk at the begin of `bytes` takes, where that is more than there are.
fn longer(bytes: &[u8]) -> Option<u64> {
    let (mut len, mut frame) = (0_u64, 0);
    for (i, &byte) in bytes.iter().enumerate().take(5) {
        len |= u64::from(byte & 0x7f) << (7 * i);
        frame = i + 1;
        if byte < 0x80 {
            break;
        }
    }
    let wanted = len + frame as u64 + 1 + 4;
    (wanted > bytes.len() as u64).then_some(wanted)
}

fn labels_only(rows: Rows) -> SeriesBatch {
    let ends = vec![0; rows.ends.len()];
    SeriesBatch::new(rows.labels, ChunkList::default(), ends)
}

/// Chunks as slices of the mapped segment files.
fn from_segments(rows: Rows, segments: &ChunkReader, ask: &Ask) -> Parsed<SeriesBatch> {
    let mut buffer_of: Vec<Option<u32>> = vec![None; segments.segments().len()];
    // So many are not asked for ahead, since one was known and its neighbours will be.
    let mut passed_over = 0;
    assemble(rows, ask, |chunks, buffers| {
        // Each header lies elsewhere in memory: fetched side by side they take a fraction of one by one.
        let (located, behind) = (&chunks[0], chunks.get(HEADERS_AHEAD));
        if passed_over > 0 {
            passed_over -= 1;
        } else if behind.is_some_and(|behind| !segments.prefetch(behind.chunk_ref)) {
            passed_over = HEADERS_AHEAD / 4;
        }
        let range = TimeRange::new(located.min_time, located.max_time);
        let Once { chunk, samples, spread } = segments.chunk_once(located.chunk_ref, range, ask.request.spread)?;
        // `chunk` has found the segment.
        let segment = (located.chunk_ref >> 32) as usize;
        let buffer = *buffer_of[segment].get_or_insert_with(|| {
            buffers.push(segments.segments()[segment].clone());
            (buffers.len() - 1) as u32
        });
        Ok(Read { chunk, samples: short(samples), spread, buffer })
    })
}

/// Chunks as slices of what was fetched for each.
fn from_bytes(rows: Rows, bytes: Vec<Bytes>, ask: &Ask) -> Parsed<SeriesBatch> {
    let mut next = 0;
    assemble(rows, ask, |chunks, buffers| {
        let (located, part) = (&chunks[0], &bytes[next]);
        next += 1;
        let segment = (located.chunk_ref >> 32) as u32;
        let at = located.chunk_ref & 0xffff_ffff;
        let chunk = read_chunk(part, 0, true).map_err(|e| e.within(&segment_name(segment), at))?;
        buffers.push(part.clone());
        let (samples, buffer) = (floats(chunk.encoding, chunk.payload), (buffers.len() - 1) as u32);
        Ok(Read { chunk, samples, spread: Spread::default(), buffer })
    })
}

/// How many samples a chunk has, if these are floats, as it says itself; its line of memory is here.
fn floats(encoding: Encoding, payload: &[u8]) -> u16 {
    if encoding.is_float() { short(sample_count(encoding, payload).unwrap_or(0)) } else { 0 }
}

/// As chunks count their samples in two bytes.
fn short(samples: u32) -> u16 {
    u16::try_from(samples).unwrap_or(0)
}

/// A chunk, and what is known of it.
struct Read<'a> {
    chunk: RawChunk<'a>,
    /// How many floats it has; 0 where it has others.
    samples: u16,
    spread: Spread,
    /// The number of its buffer.
    buffer: u32,
}

/// `read` is given a chunk and those behind it.
fn assemble<'a>(
    rows: Rows,
    ask: &Ask,
    mut read: impl FnMut(&[Located], &mut Vec<Bytes>) -> Parsed<Read<'a>>,
) -> Parsed<SeriesBatch> {
    // Longer ones are not known: hours are.
    let resolution_ms = u32::try_from(ask.block.resolution_ms).unwrap_or(u32::MAX);
    let mut list = ChunkList { chunks: Vec::with_capacity(rows.chunks.len()), ..ChunkList::default() };
    let mut ends = Vec::with_capacity(rows.ends.len());
    let (mut first, mut bytes) = (0, 0);
    for &end in &rows.ends {
        for (i, located) in rows.chunks[..end as usize].iter().enumerate().skip(first) {
            let Read { chunk, samples, spread, buffer } = read(&rows.chunks[i..], &mut list.buffers)?;
            bytes += chunk.payload.len() as u64;
            let meta = |aggregate, encoding, offset: usize, payload: &[u8], samples: u16, spread| ChunkMeta {
                min_time: located.min_time,
                max_time: located.max_time,
                resolution_ms,
                aggregate,
                encoding,
                buffer,
                // Segment files are smaller than 4 GiB.
                offset: offset as u32,
                len: payload.len() as u32,
                samples,
                spread,
            };
            if chunk.encoding != Encoding::Aggregates {
                list.chunks.push(meta(
                    Aggregate::Raw,
                    chunk.encoding,
                    chunk.payload_offset,
                    chunk.payload,
                    samples,
                    spread,
                ));
                continue;
            }
            let parts = Aggregates::split(chunk.payload).map_err(|e| {
                e.within(&segment_name((located.chunk_ref >> 32) as u32), located.chunk_ref & 0xffff_ffff)
            })?;
            for (aggregate, encoding, payload) in parts.iter().filter(|(a, ..)| ask.request.aggregates.contains(a)) {
                // A part of the chunk's payload.
                let within = payload.as_ptr().addr() - chunk.payload.as_ptr().addr();
                let (offset, samples) = (chunk.payload_offset + within, floats(encoding, payload));
                list.chunks.push(meta(aggregate, encoding, offset, payload, samples, Spread::default()));
            }
        }
        first = end as usize;
        ends.push(list.len());
    }
    ask.fetched.touch(Data::Chunks, rows.chunks.len() as u64, bytes);
    Ok(SeriesBatch::new(rows.labels, list, ends))
}
