use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures::Stream;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use request::{Context, Missing};

use super::{Target, timed_out};
use crate::{Error, Frame, Result, SeriesRequest};

/// One store's stream within a fan-out: watches its silence and turns its failure into what is missing.
pub(super) struct Guard {
    target: Target,
    cx: Context,
    /// Of the request only what is needed to judge a failure.
    request: SeriesRequest,
    /// `None`: ended or failed.
    stream: Option<BoxStream<'static, Result<Frame>>>,
    timeout: Duration,
    /// Runs while the store keeps silent.
    timer: Option<BoxFuture<'static, ()>>,
    missing: VecDeque<Missing>,
}

impl Guard {
    pub(super) fn new(
        target: Target,
        cx: &Context,
        request: &SeriesRequest,
        stream: BoxStream<'static, Result<Frame>>,
        timeout: Duration,
    ) -> Self {
        let stream = Some(stream);
        Self {
            target,
            cx: cx.clone(),
            request: request.clone(),
            stream,
            timeout,
            timer: None,
            missing: VecDeque::new(),
        }
    }

    /// Ends the stream for an error; it goes on as missing parts where the request allows that.
    fn fail(&mut self, e: Error) -> Result<()> {
        self.stream = None;
        self.timer = None;
        let request = &self.request;
        self.missing.extend(self.target.failed(e, request.partial_response, request.range, &request.matchers)?);
        Ok(())
    }

    fn silent(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        if self.timeout.is_zero() {
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| self.cx.timer().sleep(self.timeout));
        timer.poll_unpin(task)
    }
}

impl Stream for Guard {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(missing) = this.missing.pop_front() {
                return Poll::Ready(Some(Ok(Frame::Missing(missing))));
            }
            let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
            let polled = match this.cx.check() {
                Ok(()) => stream.poll_next_unpin(task),
                Err(e) => {
                    this.stream = None;
                    return Poll::Ready(Some(Err(e.into())));
                }
            };
            let failure = match polled {
                Poll::Ready(Some(Ok(Frame::Missing(missing))))
                    if this.request.partial_response == crate::PartialResponse::Abort =>
                {
                    this.target.incomplete(Some(&missing))
                }
                Poll::Ready(Some(Ok(frame))) => {
                    this.timer = None;
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(None) => {
                    this.stream = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(e))) => e,
                Poll::Pending => match this.silent(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => timed_out(this.timeout),
                },
            };
            if let Err(e) = this.fail(failure) {
                return Poll::Ready(Some(Err(e)));
            }
        }
    }
}
