//! A store that records what is asked of it and fails where it is told to: for tests.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use parking_lot::Mutex;

/// What was asked of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Put,
    StartParts,
    PutPart,
    CompleteParts,
    AbortParts,
    Get,
    Head,
    Delete,
    List,
    Copy,
}

impl Operation {
    /// Whether the operation changes what the bucket holds.
    #[must_use]
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::Head | Self::List)
    }
}

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and says so. Later ones work.
    Refused,
    /// It is done, but the answer is an error. Later ones work.
    AnswerLost,
    /// It is not done, and nothing works from then on: the process was killed before it.
    CrashBefore,
    /// It is done, but nobody hears of it, and nothing works from then on.
    CrashAfter,
}

/// The record and the plan of faults, shared by a [`Recorder`] and its test.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    operations: Vec<(Operation, String)>,
    at: Option<(usize, Fault)>,
    only_writes: bool,
    counted: usize,
    crashed: bool,
    /// Reads that wait to be let go; `None`: they do not wait.
    held: Option<Vec<oneshot::Sender<()>>>,
}

enum Verdict {
    Go,
    /// Do it, then answer with an error.
    GoAndFail,
    Fail,
}

impl Faults {
    /// Lets operation `k` go wrong, counted from 0 and from now on.
    pub fn fail_at(&self, k: usize, fault: Fault) {
        let mut state = self.0.lock();
        (state.at, state.only_writes, state.counted, state.crashed) = (Some((k, fault)), false, 0, false);
    }

    /// As [`Self::fail_at`], counting only operations that change the bucket.
    pub fn fail_at_write(&self, k: usize, fault: Fault) {
        self.fail_at(k, fault);
        self.0.lock().only_writes = true;
    }

    /// Everything works again; the record is kept.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        (state.at, state.crashed) = (None, false);
    }

    /// Whether the planned fault has come to pass.
    #[must_use]
    pub fn struck(&self) -> bool {
        let state = self.0.lock();
        state.at.is_some_and(|(k, _)| state.counted > k)
    }

    /// Lets every read wait from now on until [`Self::release`]: what is asked for without the answer to what
    /// waits is one round.
    pub fn hold_reads(&self) {
        self.0.lock().held.get_or_insert_default();
    }

    /// Lets the reads that wait go on, and says how many there were.
    #[must_use]
    pub fn release(&self) -> usize {
        let held = self.0.lock().held.as_mut().map(std::mem::take).unwrap_or_default();
        // Who no longer waits was dropped.
        held.into_iter().filter_map(|waiting| waiting.send(()).ok()).count()
    }

    /// Reads wait no longer.
    pub fn let_go(&self) {
        self.0.lock().held = None;
    }

    fn held(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.0.lock();
        let held = state.held.as_mut()?;
        let (sender, receiver) = oneshot::channel();
        held.push(sender);
        Some(receiver)
    }

    /// What was asked so far, with the object or prefix; the record starts anew.
    #[must_use]
    pub fn take(&self) -> Vec<(Operation, String)> {
        std::mem::take(&mut self.0.lock().operations)
    }

    fn verdict(&self, operation: Operation, path: &str) -> Verdict {
        let mut state = self.0.lock();
        if state.crashed {
            return Verdict::Fail;
        }
        state.operations.push((operation, path.to_owned()));
        if state.only_writes && !operation.writes() {
            return Verdict::Go;
        }
        let number = state.counted;
        state.counted += 1;
        match state.at {
            Some((k, fault)) if k == number => {
                state.crashed = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
                match fault {
                    Fault::Refused | Fault::CrashBefore => Verdict::Fail,
                    Fault::AnswerLost | Fault::CrashAfter => Verdict::GoAndFail,
                }
            }
            _ => Verdict::Go,
        }
    }

    async fn run<T>(&self, operation: Operation, path: &str, act: impl Future<Output = Result<T>>) -> Result<T> {
        match self.verdict(operation, path) {
            Verdict::Go => act.await,
            Verdict::GoAndFail => act.await.and_then(|_| Err(fault(operation, path))),
            Verdict::Fail => Err(fault(operation, path)),
        }
    }
}

fn fault(operation: Operation, path: &str) -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: format!("planned fault: {operation:?} {path}").into() }
}

/// Decorates a store with a record and faults.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn ObjectStore>,
    faults: Faults,
}

impl Recorder {
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Recorder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.faults.run(Operation::Put, location.as_ref(), self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let start = self.inner.put_multipart_opts(location, opts);
        let inner = self.faults.run(Operation::StartParts, location.as_ref(), start).await?;
        Ok(Box::new(Parts { inner, faults: self.faults.clone(), path: location.to_string() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { Operation::Head } else { Operation::Get };
        let read = async {
            if let Some(held) = self.faults.held() {
                // Not before it is let go, or the test is over.
                let _go = held.await;
            }
            self.inner.get_opts(location, options).await
        };
        self.faults.run(operation, location.as_ref(), read).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, faults) = (Arc::clone(&self.inner), self.faults.clone());
        let delete = move |location: Result<Path>| {
            let (inner, faults) = (Arc::clone(&inner), faults.clone());
            async move {
                let location = location?;
                let act = object_store::ObjectStoreExt::delete(&inner, &location);
                faults.run(Operation::Delete, location.as_ref(), act).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        match self.faults.verdict(Operation::List, &path) {
            Verdict::Go => self.inner.list(prefix),
            Verdict::GoAndFail | Verdict::Fail => {
                futures::stream::once(async move { Err(fault(Operation::List, &path)) }).boxed()
            }
        }
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let path = offset.to_string();
        match self.faults.verdict(Operation::List, &path) {
            Verdict::Go => self.inner.list_with_offset(prefix, offset),
            Verdict::GoAndFail | Verdict::Fail => {
                futures::stream::once(async move { Err(fault(Operation::List, &path)) }).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        self.faults.run(Operation::List, &path, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.faults.run(Operation::Copy, to.as_ref(), self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct Parts {
    inner: Box<dyn MultipartUpload>,
    faults: Faults,
    path: String,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.faults.verdict(Operation::PutPart, &self.path) {
            Verdict::Go => self.inner.put_part(data),
            Verdict::Fail => {
                let path = self.path.clone();
                async move { Err(fault(Operation::PutPart, &path)) }.boxed()
            }
            Verdict::GoAndFail => {
                let (part, path) = (self.inner.put_part(data), self.path.clone());
                async move { part.await.and_then(|()| Err(fault(Operation::PutPart, &path))) }.boxed()
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.faults.clone().run(Operation::CompleteParts, &self.path, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.faults.clone().run(Operation::AbortParts, &self.path, self.inner.abort()).await
    }
}
