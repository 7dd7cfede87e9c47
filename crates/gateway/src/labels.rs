//! Label names and values over blocks.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use block::{IndexReader, SeriesEntry};
use futures::{StreamExt, stream};
use model::{Matcher, TimeRange};
use request::{Context, MemoryLease};
use store::{Error, LabelsRequest, Names, PartialResponse, Result, show_matchers};

use crate::block::Block;
use crate::cursor::select;
use crate::files::named;
use crate::gateway::Gateway;

/// Blocks that one call reads side by side.
const PARALLEL: usize = 16;

impl Gateway {
    pub(crate) async fn names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        let without: Arc<[String]> = request.without_replica_labels.clone().into();
        self.over_blocks(cx, &request, move |cx, block, index, matchers, range| {
            let mut found = match series_names(cx, index, matchers, range)? {
                Found::All => Set::of(cx, index.label_names()?.into_iter().map(Ok))?,
                Found::Nothing => return Set::empty(cx),
                Found::Some(names) => names,
            };
            found.names.extend(block.labels.iter().map(|(n, _)| n.to_owned()));
            found.names.retain(|name| !without.contains(name));
            Ok(found)
        })
        .await
    }

    pub(crate) async fn values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        if request.without_replica_labels.contains(&request.label) {
            return Ok(Names::default());
        }
        let label: Arc<str> = request.label.as_str().into();
        self.over_blocks(cx, &request, move |cx, block, index, matchers, range| {
            if let Some(external) = block.labels.get(&label) {
                // The external label wins over the series' own; some series must match, though.
                let any = matchers.is_empty() || any_series(cx, index, matchers, range)?;
                return Set::of(cx, any.then_some(Ok(external)).into_iter());
            }
            if matchers.is_empty() {
                let _held = cx.memory().lease((index.label_value_count(&label)? * size_of::<&str>()) as u64)?;
                return Set::of(cx, index.label_values(&label)?.into_iter().map(Ok));
            }
            series_values(cx, index, &label, matchers, range)
        })
        .await
    }

    /// Runs `read` on the CPU pool for every block that overlaps and puts the answers together.
    async fn over_blocks(
        &self,
        cx: &Context,
        request: &LabelsRequest,
        read: impl Fn(&Context, &Block, &IndexReader, &[Matcher], TimeRange) -> Result<Set> + Clone + Send + Sync + 'static,
    ) -> Result<Names> {
        let range = self.served(cx, request.range);
        let blocks = self.catalog().overlapping(&request.matchers, range);
        let answers = stream::iter(blocks).map(|(block, matchers)| {
            let read = read.clone();
            async move {
                let answer = async {
                    let index = self.files().index(&block).await?;
                    let (job_cx, job_block) = (cx.clone(), Arc::clone(&block));
                    cx.run(move || read(&job_cx, &job_block, &index, &matchers, range)).await?
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
                            self.files().forget(block.id).await;
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
        Ok(Names { names: all.names.into_iter().take(limit).collect(), missing })
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

enum Found {
    /// No matchers: the index knows.
    All,
    Nothing,
    Some(Set),
}

fn series_names(cx: &Context, index: &IndexReader, matchers: &[Matcher], range: TimeRange) -> Result<Found> {
    if matchers.is_empty() {
        return Ok(Found::All);
    }
    let mut refs = HashSet::new();
    for_each_series(cx, index, matchers, range, |entry| {
        refs.extend(entry.labels.iter().map(|&(name, _)| name));
        true
    })?;
    if refs.is_empty() {
        return Ok(Found::Nothing);
    }
    Ok(Found::Some(Set::of(cx, refs.into_iter().map(|name| Ok(index.symbol(name)?)))?))
}

fn series_values(
    cx: &Context,
    index: &IndexReader,
    label: &str,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<Set> {
    let Some(name) = index.symbol_ref(label)? else { return Set::empty(cx) };
    let mut refs = HashSet::new();
    let mut lease = cx.memory().lease(0)?;
    let mut refused = None;
    for_each_series(cx, index, matchers, range, |entry| {
        refs.extend(entry.labels.iter().find(|(n, _)| *n == name).map(|&(_, value)| value));
        // A number and the set's own: under sixteen bytes.
        refused = lease.resize(refs.capacity() as u64 * 16).err();
        refused.is_none()
    })?;
    if let Some(e) = refused {
        return Err(e.into());
    }
    Set::of(cx, refs.into_iter().map(|value| Ok(index.symbol(value)?)))
}

fn any_series(cx: &Context, index: &IndexReader, matchers: &[Matcher], range: TimeRange) -> Result<bool> {
    let mut any = false;
    for_each_series(cx, index, matchers, range, |_| {
        any = true;
        false
    })?;
    Ok(any)
}

/// Series with a chunk in range, until `each` says false.
fn for_each_series(
    cx: &Context,
    index: &IndexReader,
    matchers: &[Matcher],
    range: TimeRange,
    mut each: impl FnMut(&SeriesEntry) -> bool,
) -> Result<()> {
    let mut entry = SeriesEntry::default();
    let (selected, _lease) = select(cx, index, matchers)?;
    for (i, reference) in (0..selected.len()).filter_map(|i| Some((i, selected.get(i)?))) {
        if i % 256 == 0 {
            cx.check()?;
        }
        index.series(reference, &mut entry)?;
        if entry.chunks.iter().any(|c| c.range().overlaps(range)) && !each(&entry) {
            break;
        }
    }
    Ok(())
}
