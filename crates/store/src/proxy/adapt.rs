use std::collections::VecDeque;

use futures::stream::{self, BoxStream, StreamExt};
use model::{LabelTableBuilder, Labels, LabelsBuilder};
use request::Context;

use super::Target;
use crate::merge::{MergeOptions, merge_batches};
use crate::{Frame, Result, SeriesBatch, SeriesRequest, Shard};

/// The store's stream, with what it cannot do itself done here: removing replica labels (which takes
/// sorting anew, so the whole answer is held) and keeping to one shard.
pub(super) fn adapt(target: &Target, cx: &Context, request: &SeriesRequest) -> BoxStream<'static, Result<Frame>> {
    let mut request = request.clone();
    let mut shard = None;
    if !target.info.supports_sharding {
        shard = request.shard.take();
    }
    let strip = !target.info.supports_without_replica_labels && !request.without_replica_labels.is_empty();
    let names = if strip { std::mem::take(&mut request.without_replica_labels) } else { Vec::new() };
    if shard.is_some() || strip {
        // A limit counts final series.
        request.limit = 0;
    }
    let mut stream = target.store.series(cx, request);
    if strip {
        stream = stripped(stream, names);
    }
    let Some(shard) = shard else { return stream };
    let keep = move |frame| match frame {
        Ok(Frame::Batch(batch)) => Ok(Frame::Batch(sharded(batch, &shard))),
        other => other,
    };
    stream.map(keep).boxed()
}

/// Collects a stream, removes labels and sorts it anew.
fn stripped(stream: BoxStream<'static, Result<Frame>>, names: Vec<String>) -> BoxStream<'static, Result<Frame>> {
    let sorted = async move {
        let (mut stream, mut batches, mut frames) = (stream, Vec::new(), VecDeque::new());
        while let Some(frame) = stream.next().await {
            match frame {
                Ok(Frame::Batch(batch)) => batches.push(vec![sort_without(batch, &names)]),
                Ok(frame) => frames.push_back(Ok(frame)),
                Err(e) => {
                    frames.push_back(Err(e));
                    return stream::iter(frames);
                }
            }
        }
        frames.extend(merge_batches(batches, MergeOptions::default()).map(|b| Ok(Frame::Batch(b))));
        stream::iter(frames)
    };
    stream::once(sorted).flatten().boxed()
}

/// The batch without some labels, in the order of what is left. Equal label sets stay side by side.
fn sort_without(batch: SeriesBatch, names: &[String]) -> SeriesBatch {
    let stripped = |i: usize| {
        let mut builder = LabelsBuilder::from_iter(batch.labels_of(i).iter());
        builder.retain(|name| !names.iter().any(|n| n == name));
        builder.build()
    };
    let mut rows: Vec<(Labels, usize)> = (0..batch.len()).map(|i| (stripped(i), i)).collect();
    rows.sort();
    select_rows(batch, rows.iter().map(|(labels, i)| (labels.iter(), *i)))
}

fn sharded(batch: SeriesBatch, shard: &Shard) -> SeriesBatch {
    let mut scratch = Vec::new();
    let kept: Vec<_> = (0..batch.len()).filter(|&i| shard.holds(batch.labels_of(i).iter(), &mut scratch)).collect();
    if kept.len() == batch.len() {
        return batch;
    }
    let labels = batch.labels.clone();
    select_rows(batch, kept.into_iter().map(|i| (labels.get(i).iter(), i)))
}

/// Some rows of a batch under new labels; what they point into goes along.
fn select_rows<'a, L: Iterator<Item = (&'a str, &'a str)>>(
    batch: SeriesBatch,
    rows: impl Iterator<Item = (L, usize)>,
) -> SeriesBatch {
    let mut labels = LabelTableBuilder::new();
    let (mut runs, mut ends) = (Vec::with_capacity(batch.runs.len()), Vec::with_capacity(batch.len()));
    for (pairs, i) in rows {
        labels.push(pairs);
        runs.extend_from_slice(batch.runs_of(i));
        ends.push(u32::try_from(runs.len()).expect("no more runs than before"));
    }
    SeriesBatch { labels: labels.finish(), runs, ends, ..batch }
}
