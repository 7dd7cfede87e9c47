//! `thanos_objstore_bucket_*`: what the store is asked, how long it takes, and what fails.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    bucket: String,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BucketLabel {
    bucket: String,
}

/// All operations that have a series from the start, as Thanos' dashboards expect.
const OPERATIONS: [&str; 7] = ["iter", "get", "get_range", "exists", "upload", "delete", "attributes"];

/// Metrics of all instrumented buckets of a process. Cloning shares them.
#[derive(Clone, Debug)]
pub struct BucketMetrics {
    operations: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    fetched: Family<Labels, Counter>,
    duration: Family<Labels, Histogram>,
    last_upload: Family<BucketLabel, Gauge<f64, AtomicU64>>,
    /// Unix milliseconds.
    now: fn() -> i64,
}

impl BucketMetrics {
    /// Registers the metrics; once per registry. `now` is the wall clock in Unix milliseconds.
    pub fn register(registry: &mut Registry, now: fn() -> i64) -> Self {
        let histogram =
            || Histogram::new([0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0]);
        let metrics = Self {
            operations: Family::default(),
            failures: Family::default(),
            fetched: Family::default(),
            duration: Family::new_with_constructor(histogram),
            last_upload: Family::default(),
            now,
        };
        let name = |part: &str| format!("thanos_objstore_bucket_{part}");
        registry.register(name("operations"), "Operations against the bucket", metrics.operations.clone());
        registry.register(
            name("operation_failures"),
            "Operations against the bucket that failed; objects that do not exist are not failures",
            metrics.failures.clone(),
        );
        registry.register(name("operation_fetched_bytes"), "Bytes fetched from the bucket", metrics.fetched.clone());
        registry.register(
            name("operation_duration_seconds"),
            "Duration of successful operations against the bucket",
            metrics.duration.clone(),
        );
        registry.register(
            name("last_successful_upload_time"),
            "Unix time of the last successful upload to the bucket",
            metrics.last_upload.clone(),
        );
        metrics
    }
}

/// Decorates a store with [`BucketMetrics`].
#[derive(Debug)]
pub struct Instrumented {
    inner: Arc<dyn ObjectStore>,
    meter: Meter,
}

impl Instrumented {
    /// `name` is the label `bucket`.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, name: &str, metrics: BucketMetrics) -> Self {
        let meter = Meter { metrics, bucket: name.into() };
        for operation in OPERATIONS {
            let labels = meter.labels(operation);
            let _present = meter.metrics.operations.get_or_create(&labels);
            let _present = meter.metrics.failures.get_or_create(&labels);
        }
        Self { inner, meter }
    }
}

#[derive(Clone, Debug)]
struct Meter {
    metrics: BucketMetrics,
    bucket: Arc<str>,
}

impl Meter {
    fn labels(&self, operation: &'static str) -> Labels {
        Labels { bucket: self.bucket.to_string(), operation }
    }

    fn done<T>(&self, operation: &'static str, start: Instant, result: &Result<T>) {
        let labels = self.labels(operation);
        self.metrics.operations.get_or_create(&labels).inc();
        match result {
            Ok(_) => self.metrics.duration.get_or_create(&labels).observe(start.elapsed().as_secs_f64()),
            // Answers, not failures: the caller asked whether it is there.
            Err(Error::NotFound { .. } | Error::AlreadyExists { .. } | Error::NotModified { .. }) => {}
            Err(_) => {
                self.metrics.failures.get_or_create(&labels).inc();
            }
        }
    }

    async fn measure<T>(&self, operation: &'static str, act: impl Future<Output = Result<T>>) -> Result<T> {
        let start = Instant::now();
        let result = act.await;
        self.done(operation, start, &result);
        result
    }

    /// A listing is one operation, over when its stream ends or is dropped.
    fn listing(&self, objects: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut listing = Listing { meter: self.clone(), start: Instant::now(), failed: false };
        let counted = objects.inspect(move |item| {
            if item.is_err() && !listing.failed {
                listing.failed = true;
                listing.meter.done("iter", listing.start, item);
            }
        });
        counted.boxed()
    }

    fn uploaded(&self) {
        let label = BucketLabel { bucket: self.bucket.to_string() };
        self.metrics.last_upload.get_or_create(&label).set((self.metrics.now)() as f64 / 1000.0);
    }
}

/// Counts a listing without an error when its stream goes away.
struct Listing {
    meter: Meter,
    start: Instant,
    failed: bool,
}

impl Drop for Listing {
    fn drop(&mut self) {
        if !self.failed {
            self.meter.done("iter", self.start, &Ok(()));
        }
    }
}

impl fmt::Display for Instrumented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instrumented({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Instrumented {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let put = self.meter.measure("upload", self.inner.put_opts(location, payload, opts)).await?;
        self.meter.uploaded();
        Ok(put)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let start = Instant::now();
        match self.inner.put_multipart_opts(location, opts).await {
            Ok(inner) => Ok(Box::new(Parts { inner, meter: self.meter.clone(), start })),
            Err(e) => {
                let failed: Result<()> = Err(e);
                self.meter.done("upload", start, &failed);
                failed.map(|()| unreachable!("an error"))
            }
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = match (options.head, &options.range) {
            (true, _) => "attributes",
            (false, Some(_)) => "get_range",
            (false, None) => "get",
        };
        let mut got = self.meter.measure(operation, self.inner.get_opts(location, options)).await?;
        if operation == "attributes" {
            return Ok(got);
        }
        let labels = self.meter.labels(operation);
        match got.payload {
            GetResultPayload::Stream(stream) => {
                let fetched = self.meter.metrics.fetched.get_or_create(&labels).clone();
                let counted = stream.inspect(move |part| {
                    if let Ok(bytes) = part {
                        fetched.inc_by(bytes.len() as u64);
                    }
                });
                got.payload = GetResultPayload::Stream(counted.boxed());
            }
            file => {
                self.meter.metrics.fetched.get_or_create(&labels).inc_by(got.range.end - got.range.start);
                got.payload = file;
            }
        }
        Ok(got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let meter = self.meter.clone();
        let start = Instant::now();
        self.inner.delete_stream(locations).inspect(move |deleted| meter.done("delete", start, deleted)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.meter.listing(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.meter.listing(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.meter.measure("iter", self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.meter.measure("upload", self.inner.copy_opts(from, to, options)).await
    }
}

/// One upload in parts is one operation, from its start to its completion.
#[derive(Debug)]
struct Parts {
    inner: Box<dyn MultipartUpload>,
    meter: Meter,
    start: Instant,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, meter, start) = (self.inner.put_part(data), self.meter.clone(), self.start);
        async move {
            let put = part.await;
            if put.is_err() {
                meter.done("upload", start, &put);
            }
            put
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let completed = self.inner.complete().await;
        self.meter.done("upload", self.start, &completed);
        if completed.is_ok() {
            self.meter.uploaded();
        }
        completed
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
