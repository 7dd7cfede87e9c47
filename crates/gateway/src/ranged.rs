//! One request's reading of an index by ranges: what a step needs is fetched in one round, and the step done
//! again with it.

use std::ops::Range;
use std::sync::Arc;

use block::index::{NextChunk, RangedIndex, RangedReader, Ranges};
use block::postings::{ListsRead, Selected};
use block::{Corrupt, SeriesEntry};
use bytes::Bytes;
use hashbrown::HashMap;
use model::Matcher;
use parking_lot::Mutex;
use request::{Context, MemoryLease};
use store::{Error, Result};

use crate::admit;
use crate::block::Block;
use crate::cursor::selected_within;
use crate::fetched::{Data, Fetched};
use crate::files::Files;

/// A step that still lacks something after so many rounds is given up: three are enough for a sound index.
const ROUNDS_MAX: usize = 16;
/// About what a series takes that is not followed by another one that is wanted.
const SERIES_BYTES: u64 = 4 << 10;

/// What of the file was fetched for the step under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts(Arc<Mutex<HashMap<(u64, u64), Bytes>>>);

/// Why a step was not done.
#[derive(Debug)]
pub(crate) enum Lack {
    /// These are not here yet.
    Parts(Vec<Range<u64>>),
    Failed(Error),
}

impl From<Corrupt> for Lack {
    fn from(e: Corrupt) -> Self {
        Self::Failed(e.into())
    }
}

impl Ranges for Parts {
    type Error = Lack;

    fn read(&self, ranges: &[Range<u64>]) -> std::result::Result<Vec<Bytes>, Lack> {
        let here = self.0.lock();
        let mut found = Vec::with_capacity(ranges.len());
        let mut lack = Vec::new();
        for range in ranges {
            match here.get(&(range.start, range.end)) {
                Some(bytes) => found.push(bytes.clone()),
                None => lack.push(range.clone()),
            }
        }
        if lack.is_empty() { Ok(found) } else { Err(Lack::Parts(lack)) }
    }
}

impl Parts {
    pub(crate) fn add(&self, ranges: Vec<Range<u64>>, bytes: Vec<Bytes>) {
        self.0.lock().extend(ranges.into_iter().map(|r| (r.start, r.end)).zip(bytes));
    }
}

/// An index of which the ends are here, and what one request has read of the rest.
#[derive(Debug)]
pub(crate) struct Ranged {
    cx: Context,
    files: Arc<Files>,
    block: Arc<Block>,
    fetched: Arc<Fetched>,
    parts: Parts,
    index: Arc<RangedIndex>,
    reader: Arc<Mutex<RangedReader<Parts>>>,
    /// Cover what was fetched and is held.
    leases: Mutex<Vec<MemoryLease>>,
}

impl Ranged {
    pub(crate) fn new(
        cx: &Context,
        files: &Arc<Files>,
        block: &Arc<Block>,
        fetched: &Arc<Fetched>,
        index: Arc<RangedIndex>,
    ) -> Self {
        let parts = Parts::default();
        let reader = RangedReader::new(Arc::clone(&index), parts.clone());
        Self {
            cx: cx.clone(),
            files: Arc::clone(files),
            block: Arc::clone(block),
            fetched: Arc::clone(fetched),
            parts,
            index,
            reader: Arc::new(Mutex::new(reader)),
            leases: Mutex::default(),
        }
    }

    pub(crate) fn index(&self) -> &RangedIndex {
        &self.index
    }

    /// The series that `matchers` select, and what covers the list.
    pub(crate) async fn select(&self, matchers: &Arc<[Matcher]>) -> Result<(Selected, MemoryLease)> {
        let (cx, matchers, fetched) = (self.cx.clone(), Arc::clone(matchers), Arc::clone(&self.fetched));
        self.step(Data::Postings, move |reader| {
            let (mut lack, mut read) = (None, ListsRead::default());
            let selected = selected_within(&cx, |allow| {
                reader.select(&matchers, allow, &mut read).map_err(|e| match e {
                    Lack::Failed(e) => e,
                    Lack::Parts(ranges) => {
                        lack = Some(ranges);
                        // Is not looked at.
                        Error::Unavailable(String::new())
                    }
                })
            });
            match lack {
                Some(ranges) => Err(Lack::Parts(ranges)),
                None => {
                    fetched.touch(Data::Postings, read.lists, read.bytes);
                    selected.map_err(Lack::Failed)
                }
            }
        })
        .await
    }

    /// Brings series here, of ascending references; what else was here may go.
    pub(crate) async fn load(&self, references: Vec<u32>) -> Result<()> {
        self.step(Data::Series, move |reader| reader.load(&references)).await
    }

    /// How many of the series from `first` on are to be loaded together: as many as take about `bytes`.
    pub(crate) fn window(&self, selected: &Selected, first: usize, bytes: u64) -> Vec<u32> {
        let (mut window, mut sum) = (Vec::new(), 0);
        while let Some(reference) = selected.get(first + window.len()).filter(|_| sum < bytes) {
            let before = window.last().copied();
            let apart = before.map_or(u64::MAX, |before| u64::from(reference - before));
            sum += apart.saturating_mul(block::index::SERIES_ALIGN).min(SERIES_BYTES);
            window.push(reference);
        }
        window
    }

    /// Reads a series that was loaded.
    pub(crate) fn series(&self, reference: u32, entry: &mut SeriesEntry) -> std::result::Result<(), Corrupt> {
        self.reader.lock().series(reference, entry)
    }

    pub(crate) fn chunk_after(&self, reference: u32) -> std::result::Result<NextChunk, Corrupt> {
        self.reader.lock().first_chunk_after(reference)
    }

    /// Does `act` on the pool, as often as it takes until nothing is lacking; what it lacks is `data`.
    async fn step<T: Send + 'static>(
        &self,
        data: Data,
        act: impl FnMut(&mut RangedReader<Parts>) -> std::result::Result<T, Lack> + Clone + Send + 'static,
    ) -> Result<T> {
        for _ in 0..ROUNDS_MAX {
            let (reader, mut act) = (Arc::clone(&self.reader), act.clone());
            match self.cx.run(move || act(&mut reader.lock())).await? {
                Err(Lack::Parts(ranges)) => self.bring(data, ranges).await?,
                Err(Lack::Failed(e)) => return Err(e),
                Ok(done) => {
                    self.parts.0.lock().clear();
                    self.give_back()?;
                    return Ok(done);
                }
            }
        }
        let what = format!("parts of it lead to ever more, {ROUNDS_MAX} times");
        Err(Corrupt { file: block::index::INDEX_FILE.to_owned(), offset: 0, what }.into())
    }

    /// One round of reads.
    async fn bring(&self, data: Data, ranges: Vec<Range<u64>>) -> Result<()> {
        let bytes = ranges.iter().map(|r| r.end - r.start).sum();
        let lease = admit::lease(&self.cx, bytes).await?;
        let read = self.files.index_parts(&self.cx, &self.block, &ranges, &self.fetched, data).await?;
        self.leases.lock().push(lease);
        self.parts.add(ranges, read);
        Ok(())
    }

    /// Series are held on to, lists are not.
    fn give_back(&self) -> Result<()> {
        let held = self.reader.lock().held_bytes();
        let mut leases = self.leases.lock();
        let mut left = held;
        for lease in leases.iter_mut() {
            let part = lease.bytes().min(left);
            lease.resize(part)?;
            left -= part;
        }
        leases.retain(|lease| lease.bytes() > 0);
        Ok(())
    }
}
