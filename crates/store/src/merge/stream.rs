use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::{BoxStream, StreamExt};

use super::{MergeOptions, Merger, Step};
use crate::{Error, Frame, Result};

/// Merges sorted streams into one. Lazy; all streams are polled side by side, each one batch ahead.
/// [`Frame::Missing`] and [`Frame::Stats`] pass through as they come; an error ends the stream.
#[must_use]
pub fn merge_streams(
    mut streams: Vec<BoxStream<'static, Result<Frame>>>,
    options: MergeOptions,
) -> BoxStream<'static, Result<Frame>> {
    if streams.len() == 1 && options.limit == 0 {
        // One source is sorted, and a single replica has the number 0, already.
        return streams.remove(0);
    }
    let merger = Merger::new(streams.len(), options);
    let streams = streams.into_iter().map(Some).collect();
    MergeStream { streams, merger, aside: VecDeque::new(), done: false }.boxed()
}

struct MergeStream {
    /// `None`: ended.
    streams: Vec<Option<BoxStream<'static, Result<Frame>>>>,
    merger: Merger,
    /// Frames that are not merged, to be handed out first.
    aside: VecDeque<Frame>,
    done: bool,
}

impl MergeStream {
    /// Polls each stream that has no batch waiting.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<()> {
        for (i, slot) in self.streams.iter_mut().enumerate() {
            while let Some(stream) = slot
                && self.merger.queued(i) == 0
            {
                match stream.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(Frame::Batch(batch)))) => self.merger.push(i, batch),
                    Poll::Ready(Some(Ok(frame))) => self.aside.push_back(frame),
                    Poll::Ready(Some(Err(e))) => return Err(e),
                    Poll::Ready(None) => {
                        self.merger.end(i);
                        *slot = None;
                    }
                    Poll::Pending => break,
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, e: Error) -> Poll<Option<Result<Frame>>> {
        self.done = true;
        self.streams.clear();
        Poll::Ready(Some(Err(e)))
    }
}

impl Stream for MergeStream {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        loop {
            if let Err(e) = this.fill(cx) {
                return this.fail(e);
            }
            if let Some(frame) = this.aside.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            match this.merger.step() {
                Step::Batch(batch) => return Poll::Ready(Some(Ok(Frame::Batch(batch)))),
                Step::Done => {
                    this.done = true;
                    this.streams.clear();
                    return Poll::Ready(None);
                }
                Step::Need(i) => {
                    // The step may have used up what `fill` found, so ask once more before waiting.
                    if let Err(e) = this.fill(cx) {
                        return this.fail(e);
                    }
                    if this.aside.is_empty() && this.streams[i].is_some() && this.merger.queued(i) == 0 {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}
