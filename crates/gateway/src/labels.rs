//! Label names and values over blocks.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use block::{IndexReader, SeriesEntry, postings};
use futures::{StreamExt, stream};
use model::{Matcher, TimeRange};
use request::Context;
use store::{Error, LabelsRequest, Names, PartialResponse, Result};

use crate::block::Block;
use crate::files::named;
use crate::gateway::Gateway;

/// Blocks that one call reads side by side.
const PARALLEL: usize = 16;

impl Gateway {
    pub(crate) async fn names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        let without: Arc<[String]> = request.without_replica_labels.clone().into();
        self.over_blocks(cx, &request, move |cx, block, index, matchers, range| {
            let mut names: BTreeSet<String> = match series_names(cx, index, matchers, range)? {
                Found::All => index.label_names()?.into_iter().map(str::to_owned).collect(),
                Found::Nothing => return Ok(BTreeSet::new()),
                Found::Some(names) => names,
            };
            names.extend(block.labels.iter().map(|(n, _)| n.to_owned()));
            names.retain(|name| !without.contains(name));
            Ok(names)
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
                return Ok(any.then(|| external.to_owned()).into_iter().collect());
            }
            if matchers.is_empty() {
                return Ok(index.label_values(&label)?.into_iter().map(str::to_owned).collect());
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
        read: impl Fn(&Context, &Block, &IndexReader, &[Matcher], TimeRange) -> Result<BTreeSet<String>>
        + Clone
        + Send
        + Sync
        + 'static,
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
        let mut all = BTreeSet::new();
        let mut missing = Vec::new();
        while let Some((block, answer)) = answers.next().await {
            match answer {
                Ok(mut names) => all.append(&mut names),
                Err(e @ (Error::Interrupted(_) | Error::Exhausted(_) | Error::BadRequest(_))) => return Err(e),
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
        Ok(Names { names: all.into_iter().take(limit).collect(), missing })
    }
}

enum Found {
    /// No matchers: the index knows.
    All,
    Nothing,
    Some(BTreeSet<String>),
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
    let names = refs.into_iter().map(|name| Ok(index.symbol(name)?.to_owned()));
    Ok(Found::Some(names.collect::<Result<_>>()?))
}

fn series_values(
    cx: &Context,
    index: &IndexReader,
    label: &str,
    matchers: &[Matcher],
    range: TimeRange,
) -> Result<BTreeSet<String>> {
    let Some(name) = index.symbol_ref(label)? else { return Ok(BTreeSet::new()) };
    let mut refs = HashSet::new();
    for_each_series(cx, index, matchers, range, |entry| {
        refs.extend(entry.labels.iter().find(|(n, _)| *n == name).map(|&(_, value)| value));
        true
    })?;
    refs.into_iter().map(|value| Ok(index.symbol(value)?.to_owned())).collect()
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
    for (i, reference) in postings::select(index, matchers)?.into_iter().enumerate() {
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
