//! The Series call: a stream of messages into a stream of batches.

use std::collections::VecDeque;

use tonic::Streaming;
use tonic::metadata::MetadataValue;

use super::*;
use crate::assemble::{Assembler, compare};
use crate::{hints, response};

pub(super) fn stream(
    remote: &RemoteStore,
    cx: &Context,
    mut request: SeriesRequest,
) -> BoxStream<'static, store::Result<Frame>> {
    let sorted_by_peer = remote.info().supports_without_replica_labels || request.without_replica_labels.is_empty();
    let limit = request.limit;
    if !sorted_by_peer {
        // The peer would cut before labels are removed and series merged.
        request.limit = 0;
    }
    let call = Call {
        peer: remote.name.clone(),
        client: remote.store.clone(),
        failures: Arc::clone(&remote.failures),
        cx: cx.clone(),
        assembler: Assembler::new(remote.name.clone(), request.batch_size, cx.memory().clone()),
        sort: (!sorted_by_peer).then_some(Sort { limit, held: Vec::new() }),
        request,
        messages: None,
        ready: VecDeque::new(),
        done: false,
    };
    stream::unfold(call, |mut call| async move {
        let item = call.next().await.transpose()?;
        call.done |= item.is_err();
        Some((item, call))
    })
    .boxed()
}

struct Call {
    peer: String,
    client: StoreClient<Line>,
    /// Of the peer's checks; it serves, so they count no longer.
    failures: Arc<AtomicU32>,
    cx: Context,
    request: SeriesRequest,
    messages: Option<Streaming<wire::SeriesResponse>>,
    assembler: Assembler,
    sort: Option<Sort>,
    ready: VecDeque<Frame>,
    done: bool,
}

/// Series held back because the peer does not remove replica labels before it sorts.
struct Sort {
    limit: u64,
    held: Vec<wire::Series>,
}

impl Call {
    async fn next(&mut self) -> store::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            if self.done {
                return Ok(None);
            }
            self.cx.check()?;
            match self.message().await? {
                Some(message) => self.take(message)?,
                None => self.end()?,
            }
        }
    }

    async fn message(&mut self) -> store::Result<Option<wire::SeriesResponse>> {
        let failed = |status: Status| interrupted(&self.cx, &self.peer, &status);
        let messages = match &mut self.messages {
            Some(messages) => messages,
            None => {
                let mut call = timed(&self.cx, request::series_to_wire(&self.request, self.cx.tally().is_some()));
                let (header, all) = response::ENCODINGS;
                call.metadata_mut().insert(header, MetadataValue::from_static(all));
                let answer = self.client.series(call).await.map_err(failed)?;
                self.failures.store(0, Ordering::Relaxed);
                self.messages.insert(answer.into_inner())
            }
        };
        messages.message().await.map_err(failed)
    }

    fn take(&mut self, message: wire::SeriesResponse) -> store::Result<()> {
        match message.result {
            Some(Kind::Series(series)) => self.push(series),
            Some(Kind::Batch(batch)) => batch.series.into_iter().try_for_each(|s| self.push(s)),
            Some(Kind::Warning(warning)) => {
                let range = self.request.range;
                let missing = missing::from_warning(&warning, &self.peer, range.min, range.max);
                self.ready.push_back(Frame::Missing(missing));
                Ok(())
            }
            Some(Kind::Hints(hints)) => {
                self.ready.extend(hints::answered(&self.cx, &hints).map(Frame::Stats));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn push(&mut self, mut series: wire::Series) -> store::Result<()> {
        match &mut self.sort {
            None => self.ready.extend(self.assembler.push(series)?.map(Frame::Batch)),
            Some(sort) => {
                let without = &self.request.without_replica_labels;
                series.labels.retain(|l| !without.iter().any(|w| w.as_bytes() == &l.name[..]));
                sort.held.push(series);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> store::Result<()> {
        if let Some(mut sort) = self.sort.take() {
            sort.held.sort_by(|a, b| compare(&a.labels, &b.labels));
            if sort.limit > 0 {
                let mut distinct = 0;
                let mut last: Option<Vec<wire::Label>> = None;
                sort.held.retain(|s| {
                    if last.as_ref() != Some(&s.labels) {
                        last = Some(s.labels.clone());
                        distinct += 1;
                    }
                    distinct <= sort.limit
                });
            }
            for series in sort.held {
                self.ready.extend(self.assembler.push(series)?.map(Frame::Batch));
            }
        }
        self.ready.extend(self.assembler.finish()?.map(Frame::Batch));
        self.done = true;
        Ok(())
    }
}
