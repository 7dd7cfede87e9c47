use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, BoxStream, StreamExt};
use model::Labels;
use request::{Context, MemoryLease};
use reqwest::Response;
use store::order::{HeldBack, precedes, waits};
use store::{Error, Frame, Result, SeriesBatch, SeriesRequest, Shard};

use super::collect::{BATCH_SERIES, NewChunk, batch, held_bytes};
use super::external::final_labels;
use super::frames::Frames;
use super::remote_read::{broken, each_series};

/// A batch is closed when it holds so many bytes.
const BATCH_BYTES: u64 = 1 << 20;

/// Gives series their final labels and their final order as they come: sorted by their own labels, those left
/// out that are removed or replaced.
#[derive(Debug)]
pub(super) struct Ordered {
    external: Labels,
    /// Names of the external labels that stay.
    added: Vec<String>,
    request: SeriesRequest,
    /// The last one; more of its chunks may follow.
    open: Option<Row>,
    held: HeldBack<Row>,
    ready: Vec<(Labels, Vec<NewChunk>)>,
    /// What `ready` holds.
    ready_bytes: u64,
    given: u64,
    lease: MemoryLease,
    scratch: Vec<u8>,
    /// Told where series come in no order.
    disordered: Arc<AtomicBool>,
}

/// A series on its way.
#[derive(Debug)]
struct Row {
    /// Without external labels, which Prometheus adds itself, and without those that are removed.
    own: Labels,
    chunks: Vec<NewChunk>,
    bytes: u64,
}

impl Ordered {
    pub(super) fn new(
        cx: &Context,
        external: &Labels,
        request: &SeriesRequest,
        disordered: Arc<AtomicBool>,
    ) -> Result<Self> {
        let stays = |name: &str| !request.without_replica_labels.iter().any(|w| w == name);
        Ok(Self {
            external: external.clone(),
            added: external.iter().map(|(n, _)| n.to_owned()).filter(|n| stays(n)).collect(),
            request: request.clone(),
            open: None,
            held: HeldBack::default(),
            ready: Vec::new(),
            ready_bytes: 0,
            given: 0,
            lease: cx.memory().lease(0)?,
            scratch: Vec::new(),
            disordered,
        })
    }

    /// Takes the next series, or more chunks of the last one.
    pub(super) fn push(&mut self, labels: &[(&str, &str)], chunks: Vec<NewChunk>) -> Result<()> {
        let bytes = held_bytes(labels, &chunks);
        self.lease.grow(bytes)?;
        let removed = |name: &str| self.request.without_replica_labels.iter().any(|w| w == name);
        let stays = |name: &str| self.external.get(name).is_none() && !removed(name);
        let own = Labels::from_pairs(labels.iter().filter(|(name, value)| !value.is_empty() && stays(name)).copied());
        match &mut self.open {
            Some(open) if open.own == own => {
                open.chunks.extend(chunks);
                open.bytes += bytes;
                return Ok(());
            }
            Some(open) if own < open.own => {
                self.disordered.store(true, Ordering::Relaxed);
                return Err(Error::Unavailable(format!("prometheus gave {own} after {}", open.own)));
            }
            _ => {}
        }
        if let Some(done) = self.open.replace(Row { own, chunks, bytes }) {
            self.close(done)?;
        }
        Ok(())
    }

    /// `row` is whole.
    fn close(&mut self, row: Row) -> Result<()> {
        loop {
            let waits = |top: &Row| Ok::<_, Infallible>(waits(top.own.iter(), row.own.iter(), &self.added));
            let Ok(before) = self.held.pop_before(waits);
            let Some(before) = before else { break };
            self.give(before)?;
        }
        let may_wait = row.own.iter().last().is_none_or(|(name, _)| precedes(name, &self.added));
        match self.held.hold(row, may_wait) {
            Some(row) => self.give(row),
            None => Ok(()),
        }
    }

    /// `row` is the next one.
    fn give(&mut self, row: Row) -> Result<()> {
        let mut pairs = Vec::new();
        final_labels(row.own.iter(), &self.external, &self.request.without_replica_labels, &mut pairs);
        let enough = self.has_all();
        let foreign = |shard: &Shard| !shard.holds(pairs.iter().copied(), &mut self.scratch);
        if enough || self.request.shard.as_ref().is_some_and(foreign) {
            return Ok(self.lease.resize(self.lease.bytes().saturating_sub(row.bytes))?);
        }
        self.ready.push((Labels::from_sorted(pairs), row.chunks));
        self.ready_bytes += row.bytes;
        self.given += 1;
        Ok(())
    }

    /// Whether there are as many as are wanted.
    pub(super) fn has_all(&self) -> bool {
        self.request.limit > 0 && self.given >= self.request.limit
    }

    /// The next batch, if it is full, or `last` where no more series come.
    pub(super) fn take(&mut self, cx: &Context, last: bool) -> Result<Option<SeriesBatch>> {
        if last {
            self.open.take().map(|row| self.close(row)).transpose()?;
            while let Some(row) = self.held.pop() {
                self.give(row)?;
            }
        }
        let full = self.ready.len() >= BATCH_SERIES || self.ready_bytes >= BATCH_BYTES;
        if self.ready.is_empty() || !full && !last {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.ready_bytes);
        let mut batch = batch(self.ready.drain(..));
        self.lease.resize(self.lease.bytes().saturating_sub(bytes))?;
        batch.cover(cx.memory().lease(bytes)?);
        Ok(Some(batch))
    }
}

/// The series of a streamed answer, in batches, as they come.
pub(super) fn read(cx: &Context, response: Response, ordered: Ordered) -> BoxStream<'static, Result<Frame>> {
    let reading = Reading { cx: cx.clone(), response, frames: Frames::default(), ordered, ended: false };
    stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|batch| (Frame::Batch(batch), reading)))
    })
    .boxed()
}

struct Reading {
    cx: Context,
    response: Response,
    frames: Frames,
    ordered: Ordered,
    ended: bool,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<SeriesBatch>> {
        loop {
            if let Some(batch) = self.ordered.take(&self.cx, self.ended)? {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            self.cx.check()?;
            match self.response.chunk().await.map_err(|e| broken(&e.without_url()))? {
                Some(bytes) => {
                    self.cx.stats().add_bytes_fetched(bytes.len() as u64);
                    self.frames.push(&bytes);
                    each_series(&mut self.frames, |labels, chunks| self.ordered.push(&labels, chunks))?;
                    self.ended = self.ordered.has_all();
                }
                None => {
                    self.frames.end()?;
                    self.ended = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
