use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use model::Matcher;
use request::Context;

use crate::{Error, Frame, LabelsRequest, Names, Result, SeriesBatch, SeriesRequest, Store, StoreInfo};

/// The most that one request for series may give; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `--store.limits.request-series`
    pub series: u64,
    /// `--store.limits.request-samples`; each chunk counts as 120, as in Thanos.
    pub samples: u64,
}

const SAMPLES_PER_CHUNK: u64 = 120;

/// A store whose requests for series end with [`Error::Exhausted`] when they give more than the limits.
#[derive(Debug)]
pub struct Limited {
    store: Arc<dyn Store>,
    limits: Limits,
}

impl Limited {
    #[must_use]
    pub fn new(store: Arc<dyn Store>, limits: Limits) -> Self {
        Self { store, limits }
    }
}

#[async_trait]
impl Store for Limited {
    fn info(&self) -> Arc<StoreInfo> {
        self.store.info()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        if self.limits == Limits::default() {
            return self.store.series(cx, request);
        }
        let mut count = Count { limits: self.limits, series: 0, samples: 0, matchers: request.matchers.clone() };
        let stream = self.store.series(cx, request);
        let counted = stream.scan(false, move |ended, frame| {
            let frame = match frame {
                _ if *ended => return std::future::ready(None),
                Ok(Frame::Batch(batch)) => count.add(&batch).map(|()| Frame::Batch(batch)),
                other => other,
            };
            *ended = frame.is_err();
            std::future::ready(Some(frame))
        });
        counted.boxed()
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.store.label_names(cx, request).await
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.store.label_values(cx, request).await
    }
}

struct Count {
    limits: Limits,
    series: u64,
    samples: u64,
    matchers: Vec<Matcher>,
}

impl Count {
    fn add(&mut self, batch: &SeriesBatch) -> Result<()> {
        self.series += batch.len() as u64;
        self.samples += batch.chunk_count() * SAMPLES_PER_CHUNK;
        let Limits { series, samples } = self.limits;
        self.check("series", "--store.limits.request-series", series, self.series)?;
        self.check("samples", "--store.limits.request-samples", samples, self.samples)
    }

    fn check(&self, what: &str, flag: &str, limit: u64, got: u64) -> Result<()> {
        if limit == 0 || got <= limit {
            return Ok(());
        }
        let matchers = show_matchers(&self.matchers);
        Err(Error::Exhausted(format!("{matchers} selects too many {what}: limit {limit} violated (got {got}), {flag}")))
    }
}

/// Matchers in an error: a message has to fit into a header.
const SHOWN_CHARS: usize = 200;

/// Matchers as in PromQL, in braces; cut where they are long.
#[must_use]
pub fn show_matchers(matchers: &[Matcher]) -> String {
    let all = matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match all.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => format!("{{{}… ({} bytes)}}", &all[..cut], all.len()),
        None => format!("{{{all}}}"),
    }
}
