use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream::{BoxStream, StreamExt};
use request::{Context, Tally, Took};

use crate::{Frame, Result};

/// The stream, with what comes and the time that was waited for it counted in the context's tally; as it is
/// where the context has none.
#[must_use]
pub fn counted(cx: &Context, stream: BoxStream<'static, Result<Frame>>) -> BoxStream<'static, Result<Frame>> {
    match cx.tally() {
        None => stream,
        Some(tally) => Counted { stream, tally: Arc::clone(tally), cx: cx.clone(), asked: None }.boxed(),
    }
}

struct Counted {
    stream: BoxStream<'static, Result<Frame>>,
    tally: Arc<Tally>,
    cx: Context,
    /// Since when the reader waits for the next frame.
    asked: Option<Duration>,
}

impl Stream for Counted {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let timer = Arc::clone(self.cx.timer());
        let asked = *self.asked.get_or_insert_with(|| timer.elapsed());
        let polled = self.stream.poll_next_unpin(task);
        if let Poll::Ready(frame) = &polled {
            self.asked = None;
            let mut took = Took { time: timer.elapsed().saturating_sub(asked), ..Took::default() };
            if let Some(Ok(Frame::Batch(batch))) = frame {
                took.responses = 1;
                took.series = batch.len() as u64;
                took.chunks = batch.chunk_count();
                took.bytes = batch.payload_bytes();
            }
            self.tally.add(took);
        }
        polled
    }
}
