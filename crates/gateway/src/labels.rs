//! Label names and values over blocks.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use block::SeriesEntry;
use block::postings::Selected;
use futures::{StreamExt, stream};
use model::{Matcher, TimeRange};
use request::{Context, MemoryLease};
use store::{Error, LabelsRequest, Names, PartialResponse, Result, show_matchers};

use crate::block::Block;
use crate::cursor::select;
use crate::fetched::Fetched;
use crate::files::named;
use crate::gateway::Gateway;
use crate::index::Index;

/// Blocks that one call reads side by side.
const PARALLEL: usize = 16;
/// Bytes of series that are loaded together, of an index that is read by ranges.
const WINDOW_BYTES: u64 = 4 << 20;

/// What is asked of a block.
#[derive(Clone, Debug)]
enum Want {
    /// Names but for these.
    Names(Arc<[String]>),
    Values(Arc<str>),
}

impl Gateway {
    pub(crate) async fn names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        let without = request.without_replica_labels.clone().into();
        self.over_blocks(cx, &request, Want::Names(without)).await
    }

    pub(crate) async fn values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        if request.without_replica_labels.contains(&request.label) {
            return Ok(Names::default());
        }
        let label = request.label.as_str().into();
        self.over_blocks(cx, &request, Want::Values(label)).await
    }

    /// Asks every block that overlaps and puts the answers together.
    async fn over_blocks(&self, cx: &Context, request: &LabelsRequest, want: Want) -> Result<Names> {
        let range = self.served(cx, request.range);
        let mut blocks = self.catalog().overlapping(&request.matchers, range);
        blocks.retain(|(block, _)| block.has(&request.block_matchers));
        let ids = blocks.iter().map(|(block, _)| block.id.to_string()).collect();
        let fetched = Arc::new(Fetched::within(self.fetched_bytes_max()));
        let answers = stream::iter(blocks).map(|(block, matchers)| {
            let (want, fetched) = (want.clone(), Arc::clone(&fetched));
            async move {
                let answer = async {
                    let index = Arc::new(self.files().index(cx, &block, &fetched).await?);
                    let block = Arc::clone(&block);
                    InBlock { cx: cx.clone(), block, index, matchers, range, fetched }.find(want).await
                };
                (Arc::clone(&block), answer.await)
            }
        });
        let mut answers = answers.buffered(PARALLEL);
        let mut all = Set::empty(cx)?;
        let mut missing = Vec::new();
        while let Some((block, answer)) = answers.next().await {
            match answer {
                Ok(found) => all.join(found),
                Err(Error::Exhausted(text)) => {
                    return Err(Error::Exhausted(format!("{}: {text}", show_matchers(&request.matchers))));
                }
                Err(e @ (Error::Interrupted(_) | Error::BadRequest(_))) => return Err(e),
                Err(e) => {
                    let e = match e {
                        Error::Corrupt(e) => {
                            self.files().distrust(block.id).await;
                            Error::Corrupt(named(e, block.id))
                        }
                        other => other,
                    };
                    if request.partial_response == PartialResponse::Abort {
                        return Err(e);
                    }
                    missing.push(block.missing(range, self.store_name(), &e.to_string()));
                }
            }
        }
        let limit = usize::try_from(request.limit).ok().filter(|&n| n > 0).unwrap_or(usize::MAX);
        Ok(Names { names: all.names.into_iter().take(limit).collect(), missing, blocks: ids })
    }
}

/// Names or values, and what covers them.
struct Set {
    names: BTreeSet<String>,
    lease: MemoryLease,
}

/// A string of a set, beyond its text.
const ENTRY_BYTES: usize = 64;
/// Strings between two looks at the memory's limit.
const COUNTED_STEP: usize = 1024;

impl Set {
    fn empty(cx: &Context) -> Result<Self> {
        Ok(Self { names: BTreeSet::new(), lease: cx.memory().lease(0)? })
    }

    fn of<'a>(cx: &Context, names: impl Iterator<Item = Result<&'a str>>) -> Result<Self> {
        let mut set = Self::empty(cx)?;
        let mut bytes = 0;
        for (i, name) in names.enumerate() {
            let name = name?;
            bytes += name.len() + ENTRY_BYTES;
            if i % COUNTED_STEP == COUNTED_STEP - 1 {
                cx.check()?;
                set.lease.grow(std::mem::take(&mut bytes) as u64)?;
            }
            set.names.insert(name.to_owned());
        }
        set.lease.grow(bytes as u64)?;
        Ok(set)
    }

    fn join(&mut self, mut other: Self) {
        self.names.append(&mut other.names);
        // Of the same request, so never handed back.
        let _foreign = self.lease.join(other.lease);
    }
}

/// One block, and which of its series count.
#[derive(Clone, Debug)]
struct InBlock {
    cx: Context,
    block: Arc<Block>,
    index: Arc<Index>,
    /// Without those that external labels decide.
    matchers: Arc<[Matcher]>,
    range: TimeRange,
    fetched: Arc<Fetched>,
}

/// What of the series that match is gathered.
#[derive(Clone, Copy, Debug)]
enum Gather {
    Names,
    /// Of the label with this name.
    Values(u32),
    /// Whether there is one.
    Any,
}

/// Symbols of the index.
#[derive(Debug)]
struct Gathered {
    symbols: HashSet<u32>,
    any: bool,
    lease: MemoryLease,
}

impl InBlock {
    async fn find(self, want: Want) -> Result<Set> {
        match want {
            Want::Names(without) => self.names(&without).await,
            Want::Values(label) => self.values(label).await,
        }
    }

    async fn names(self, without: &[String]) -> Result<Set> {
        let mut found = if self.matchers.is_empty() {
            self.run(|this| Set::of(&this.cx, this.index.label_names()?.into_iter().map(Ok))).await?
        } else {
            let gathered = self.gather(Gather::Names).await?;
            if !gathered.any {
                return Set::empty(&self.cx);
            }
            self.texts(gathered).await?
        };
        found.names.extend(self.block.labels.iter().map(|(n, _)| n.to_owned()));
        found.names.retain(|name| !without.contains(name));
        Ok(found)
    }

    async fn values(self, label: Arc<str>) -> Result<Set> {
        if let Some(external) = self.block.labels.get(&label) {
            // The external label wins over the series' own; some series must match, though.
            let any = self.matchers.is_empty() || self.gather(Gather::Any).await?.any;
            return Set::of(&self.cx, any.then_some(Ok(external)).into_iter());
        }
        if self.matchers.is_empty() {
            return self.run(move |this| this.all_values(&label)).await;
        }
        let name = self.run(move |this| Ok(this.index.symbol_ref(&label)?)).await?;
        let Some(name) = name else { return Set::empty(&self.cx) };
        let gathered = self.gather(Gather::Values(name)).await?;
        self.texts(gathered).await
    }

    fn all_values(&self, label: &str) -> Result<Set> {
        let _held = self.cx.memory().lease((self.index.label_value_count(label)? * size_of::<&str>()) as u64)?;
        Set::of(&self.cx, self.index.label_values(label)?.into_iter().map(Ok))
    }

    async fn texts(&self, gathered: Gathered) -> Result<Set> {
        let texts = move |this: &Self| {
            Set::of(&this.cx, gathered.symbols.into_iter().map(|symbol| Ok(this.index.symbol(symbol)?)))
        };
        self.run(texts).await
    }

    /// Looks at the series that match and have a chunk in range: all in one job, or as they are loaded.
    async fn gather(&self, what: Gather) -> Result<Gathered> {
        let mut gathered = Gathered { symbols: HashSet::new(), any: false, lease: self.cx.memory().lease(0)? };
        let Some(ranged) = self.index.ranged() else {
            return self.run(move |this| this.gather_whole(what, gathered)).await;
        };
        let (selected, _lease) = ranged.select(&self.matchers).await?;
        let mut first = 0;
        while first < selected.len() {
            let window = ranged.window(&selected, first, WINDOW_BYTES);
            first += window.len();
            ranged.load(window.clone()).await?;
            let more;
            let walk = move |this: &Self| {
                let more = this.walk(what, &Selected::Own(window), &mut gathered)?;
                Ok((gathered, more))
            };
            (gathered, more) = self.run(walk).await?;
            if !more {
                break;
            }
        }
        Ok(gathered)
    }

    fn gather_whole(&self, what: Gather, mut gathered: Gathered) -> Result<Gathered> {
        let Index::Whole(index) = &*self.index else { return Ok(gathered) };
        let (selected, _lease) = select(&self.cx, index, &self.matchers, &self.fetched)?;
        self.walk(what, &selected, &mut gathered)?;
        Ok(gathered)
    }

    /// Whether more series would tell more.
    fn walk(&self, what: Gather, selected: &Selected, gathered: &mut Gathered) -> Result<bool> {
        let mut entry = SeriesEntry::default();
        for (i, reference) in (0..selected.len()).filter_map(|i| Some((i, selected.get(i)?))) {
            if i % 256 == 0 {
                self.cx.check()?;
            }
            self.index.series(reference, &mut entry)?;
            if !entry.chunks.iter().any(|c| c.range().overlaps(self.range)) {
                continue;
            }
            gathered.any = true;
            match what {
                Gather::Any => return Ok(false),
                Gather::Names => gathered.symbols.extend(entry.labels.iter().map(|&(name, _)| name)),
                Gather::Values(name) => {
                    gathered.symbols.extend(entry.labels.iter().find(|(n, _)| *n == name).map(|&(_, value)| value));
                }
            }
            // A number and the set's own: under sixteen bytes.
            gathered.lease.resize(gathered.symbols.capacity() as u64 * 16)?;
        }
        Ok(true)
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let this = self.clone();
        self.cx.run(move || job(&this)).await?
    }
}
