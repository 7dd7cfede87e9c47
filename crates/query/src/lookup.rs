//! Labels and series.

use std::collections::BTreeSet;

use api::{ApiError, Notes};
use futures::StreamExt;
use model::{Labels, Matcher};
use request::{Context, MemoryLease};
use store::{Frame, LabelsRequest, PartialResponse, SeriesRequest, Store};

use crate::params::{Lookup, Options};
use crate::respond::{notes, store_error};

pub(crate) const TRUNCATED: &str = "results truncated due to limit";

/// What names are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which<'a> {
    Names,
    ValuesOf(&'a str),
}

/// Label names, or the values of one label, sorted.
pub(crate) async fn names(
    store: &dyn Store,
    cx: &Context,
    which: Which<'_>,
    lookup: &Lookup,
) -> Result<(Vec<String>, Notes), ApiError> {
    let mut all = BTreeSet::new();
    for matchers in sets(&lookup.matchers) {
        let request = LabelsRequest {
            label: if let Which::ValuesOf(label) = which { label.to_owned() } else { String::new() },
            range: lookup.range,
            matchers,
            // Replica labels are labels like others here.
            without_replica_labels: Vec::new(),
            // One more than wanted, so that a cut is noticed here.
            limit: if lookup.options.limit == 0 { 0 } else { lookup.options.limit.saturating_add(1) },
            partial_response: partial_response(&lookup.options),
            block_matchers: Vec::new(),
        };
        let found = match which {
            Which::Names => store.label_names(cx, request).await,
            Which::ValuesOf(_) => store.label_values(cx, request).await,
        };
        let found = found.map_err(store_error)?;
        for missing in found.missing {
            cx.coverage().add_missing(missing);
        }
        all.extend(found.names);
    }
    let mut names: Vec<String> = all.into_iter().collect();
    truncate(&mut names, lookup.options.limit, cx);
    Ok((names, notes(cx)))
}

/// The label sets of all series that match, replica labels removed, sorted, each once; and what covers them.
pub(crate) async fn series(
    store: &dyn Store,
    cx: &Context,
    lookup: &Lookup,
) -> Result<(Vec<Labels>, Notes, MemoryLease), ApiError> {
    let mut lease = cx.memory().lease(0).map_err(|e| store_error(e.into()))?;
    let mut all: BTreeSet<Labels> = BTreeSet::new();
    for matchers in sets(&lookup.matchers) {
        let mut request = SeriesRequest::new(lookup.range, matchers);
        request.skip_chunks = true;
        request.without_replica_labels.clone_from(&lookup.options.replica_labels);
        request.partial_response = partial_response(&lookup.options);
        let mut frames = store.series(cx, request);
        while let Some(frame) = frames.next().await {
            match frame.map_err(store_error)? {
                Frame::Batch(batch) => {
                    for labels in batch.labels.iter() {
                        let labels = labels.to_labels();
                        let bytes = 64 + labels.iter().map(|(n, v)| n.len() + v.len() + 8).sum::<usize>();
                        if all.insert(labels) {
                            lease.grow(bytes as u64).map_err(|e| store_error(e.into()))?;
                        }
                    }
                }
                Frame::Missing(missing) => cx.coverage().add_missing(missing),
                Frame::Stats(_) => {}
            }
        }
    }
    let mut sets: Vec<Labels> = all.into_iter().collect();
    truncate(&mut sets, lookup.options.limit, cx);
    Ok((sets, notes(cx), lease))
}

/// One empty set where none are given: everything.
fn sets(matchers: &[Vec<Matcher>]) -> Vec<Vec<Matcher>> {
    if matchers.is_empty() { vec![Vec::new()] } else { matchers.to_vec() }
}

fn truncate<T>(list: &mut Vec<T>, limit: u64, cx: &Context) {
    if limit == 0 {
        return;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if list.len() > limit {
        list.truncate(limit);
        cx.coverage().warn(TRUNCATED);
    }
}

pub(crate) fn partial_response(options: &Options) -> PartialResponse {
    if options.partial_response { PartialResponse::Warn } else { PartialResponse::Abort }
}

#[cfg(test)]
mod tests;
