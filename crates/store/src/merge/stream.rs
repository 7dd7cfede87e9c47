use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::{BoxStream, FuturesUnordered, StreamExt};

use super::{MergeOptions, Merger, Step};
use crate::{Error, Frame, Result};

/// Merges sorted streams into one. Lazy; all streams run side by side, each one batch ahead.
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
    let idle = streams.into_iter().map(Some).collect();
    MergeStream { idle, running: FuturesUnordered::new(), merger, aside: VecDeque::new(), done: false }.boxed()
}

struct MergeStream {
    /// Streams that are not being waited for; `None`: running or ended.
    idle: Vec<Option<BoxStream<'static, Result<Frame>>>>,
    /// Streams that owe a batch. Only those that are woken are polled.
    running: FuturesUnordered<NextFrame>,
    merger: Merger,
    /// Frames that are not merged, to be handed out first.
    aside: VecDeque<Frame>,
    done: bool,
}

/// The next frame of a source, with the stream to go on with.
struct NextFrame {
    source: usize,
    stream: Option<BoxStream<'static, Result<Frame>>>,
}

impl Future for NextFrame {
    type Output = (usize, Option<Result<Frame>>, Option<BoxStream<'static, Result<Frame>>>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(stream) = &mut self.stream else { return Poll::Ready((self.source, None, None)) };
        let item = std::task::ready!(stream.poll_next_unpin(cx));
        Poll::Ready((self.source, item, self.stream.take()))
    }
}

impl MergeStream {
    /// Sets a stream going that has no batch waiting.
    fn start(&mut self, source: usize) {
        if self.merger.queued(source) == 0
            && let Some(stream) = self.idle[source].take()
        {
            self.running.push(NextFrame { source, stream: Some(stream) });
        }
    }

    /// Takes in what has come. `Pending`: nothing has, and something will.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some((source, item, stream)) = std::task::ready!(self.running.poll_next_unpin(cx)) else {
            return Poll::Ready(Ok(()));
        };
        match item {
            None => self.merger.end(source),
            Some(Err(e)) => return Poll::Ready(Err(e)),
            Some(Ok(frame)) => {
                self.idle[source] = stream;
                match frame {
                    Frame::Batch(batch) => self.merger.push(source, batch),
                    frame => self.aside.push_back(frame),
                }
                self.start(source);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, last: Option<Error>) -> Poll<Option<Result<Frame>>> {
        self.done = true;
        self.idle.clear();
        self.running.clear();
        Poll::Ready(last.map(Err))
    }
}

impl Stream for MergeStream {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(None);
        }
        (0..this.idle.len()).for_each(|source| this.start(source));
        loop {
            if let Some(frame) = this.aside.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            match this.merger.step() {
                Step::Batch(batch) => return Poll::Ready(Some(Ok(Frame::Batch(batch)))),
                Step::Done => return this.end(None),
                Step::Need(source) => {
                    this.start(source);
                    match this.receive(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(e)) => return this.end(Some(e)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            }
        }
    }
}
