use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use request::Context;
use store::{Error, Frame, LabelsRequest, Names, Result, SeriesRequest, Store, StoreInfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A store that serves so many requests for series side by side; others wait until their deadline.
#[derive(Debug)]
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    permits: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(store: Arc<dyn Store>, requests: usize) -> Self {
        Self { store, permits: Arc::new(Semaphore::new(requests.min(Semaphore::MAX_PERMITS))) }
    }
}

#[async_trait]
impl Store for Gate {
    fn info(&self) -> Arc<StoreInfo> {
        self.store.info()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        let (permits, store, cx) = (Arc::clone(&self.permits), Arc::clone(&self.store), cx.clone());
        let admitted = async move {
            let Ok(permit) = permits.acquire_owned().await else {
                let shut = Error::Unavailable("the store is shutting down".to_owned());
                return stream::iter([Err(shut)]).boxed();
            };
            Held { stream: store.series(&cx, request), _permit: permit }.frames()
        };
        stream::once(admitted).flatten().boxed()
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.store.label_names(cx, request).await
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.store.label_values(cx, request).await
    }
}

/// A stream with its permit, which goes back when the stream is dropped.
struct Held {
    stream: BoxStream<'static, Result<Frame>>,
    _permit: OwnedSemaphorePermit,
}

impl Held {
    fn frames(self) -> BoxStream<'static, Result<Frame>> {
        stream::unfold(self, |mut held| async move { held.stream.next().await.map(|frame| (frame, held)) }).boxed()
    }
}
