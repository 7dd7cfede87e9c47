//! How many rounds of requests to the bucket an answer takes, one waiting for the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Wake};

use bucket::{Bucket, Faults, Recorder};
use futures::StreamExt;
use gateway::{Gateway, Settings};
use model::{MatchOp, Matcher, TimeRange};
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use request::Context;
use store::{Frame, LabelsRequest, PartialResponse, SeriesRequest, Store};

const NOW_MS: i64 = 1_800_000_000_000;
const BLOCKS: usize = 24;
/// Between two reads a task gives way less often.
const YIELDS: usize = 64;

/// Some of the fleet's blocks in memory, where everything is at hand at once.
async fn some_blocks() -> Option<(Bucket, Faults)> {
    let dir = golden::bucket("fleet/bucket")?;
    let faults = Faults::default();
    let recorded = faults.clone();
    let bucket = Bucket::memory().decorated(move |store| Recorder::new(store, recorded));
    let mut blocks: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    blocks.sort();
    for block in blocks.iter().take(BLOCKS) {
        let name = block.file_name().unwrap().to_str().unwrap();
        for file in ["meta.json", "index", "chunks/000001"] {
            let bytes = std::fs::read(block.join(file)).unwrap();
            bucket.store().put(&ObjectPath::from(format!("{name}/{file}")), bytes.into()).await.unwrap();
        }
    }
    Some((bucket, faults))
}

async fn open(bucket: &Bucket, settings: Settings) -> Gateway {
    let gateway = Gateway::new(bucket.clone(), settings);
    gateway.sync(NOW_MS).await.unwrap();
    gateway
}

/// Nothing is kept whole.
fn by_ranges(data_dir: Option<&Path>) -> Settings {
    Settings { whole_index_share: 0.0, data_dir: data_dir.map(Path::to_owned), ..Settings::default() }
}

/// The reads of each round: those that are asked for while none of them is answered. With it the chunks that came.
async fn rounds(gateway: &Gateway, faults: &Faults, matchers: Vec<Matcher>) -> (Vec<usize>, usize) {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Arc::clone(&woken).into();
    let mut task = TaskContext::from_waker(&waker);
    faults.hold_reads();
    let request =
        SeriesRequest { partial_response: PartialResponse::Abort, ..SeriesRequest::new(TimeRange::ALL, matchers) };
    let mut stream = gateway.series(&Context::inline(NOW_MS), request);
    let (mut rounds, mut chunks) = (Vec::new(), 0);
    loop {
        match stream.poll_next_unpin(&mut task) {
            Poll::Ready(Some(Ok(Frame::Batch(batch)))) => chunks += batch.chunk_count() as usize,
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(e))) => panic!("{e}"),
            Poll::Ready(None) => break,
            // Only wants to be polled again.
            Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
            Poll::Pending => {
                // Tasks of the answer come as far as they can without the bucket.
                for _ in 0..YIELDS {
                    tokio::task::yield_now().await;
                }
                if woken.0.swap(false, Ordering::Relaxed) {
                    continue;
                }
                let released = faults.release();
                assert!(released > 0, "it waits, and not for the bucket");
                rounds.push(released);
            }
        }
    }
    assert!(chunks > 0);
    faults.let_go();
    (rounds, chunks)
}

fn one_metric() -> Vec<Matcher> {
    vec![Matcher::equal("__name__", "http_requests_total")]
}

#[tokio::test]
async fn indexes_that_are_kept_take_one_round_and_chunks_another() {
    let Some((bucket, faults)) = some_blocks().await else { return };
    let gateway = open(&bucket, Settings::default()).await;
    let (cold, chunks) = rounds(&gateway, &faults, one_metric()).await;
    assert_eq!(cold, [BLOCKS; 2], "indexes, chunks");
    assert_eq!(rounds(&gateway, &faults, one_metric()).await, (vec![BLOCKS], chunks), "chunks");
}

#[tokio::test]
async fn indexes_by_ranges_take_three_rounds_cold_and_one_warm() {
    let Some((bucket, faults)) = some_blocks().await else { return };
    let whole = rounds(&open(&bucket, Settings::default()).await, &faults, one_metric()).await.1;
    let data = tempfile::tempdir().unwrap();
    // The ends are on disk, as they are soon after a block was first seen.
    let ends = open(&bucket, by_ranges(Some(data.path()))).await;
    let mut first = ends.series(&Context::inline(NOW_MS), SeriesRequest::new(TimeRange::ALL, one_metric()));
    while let Some(frame) = first.next().await {
        frame.unwrap();
    }
    let kept =
        std::fs::read_dir(data.path()).unwrap().filter(|e| e.as_ref().unwrap().path().join("index.ends").exists());
    assert_eq!(kept.count(), BLOCKS);
    let gateway = open(&bucket, by_ranges(Some(data.path()))).await;
    let (cold, chunks) = rounds(&gateway, &faults, one_metric()).await;
    assert_eq!(chunks, whole);
    // Lists, series, chunks; in indexes as small as these one part may hold both of the first.
    assert!((2..=3).contains(&cold.len()) && cold.iter().all(|&reads| reads <= BLOCKS), "{cold:?}");
    assert_eq!(rounds(&gateway, &faults, one_metric()).await, (vec![BLOCKS], whole), "chunks");
    // Where the ends are nowhere yet they take one round more, of large indexes two.
    let gateway = open(&bucket, by_ranges(None)).await;
    let (first, chunks) = rounds(&gateway, &faults, one_metric()).await;
    assert_eq!(chunks, whole);
    assert!(first.len() <= 5, "{first:?}");
    assert_eq!(rounds(&gateway, &faults, one_metric()).await, (vec![BLOCKS], whole), "chunks");
}

#[tokio::test]
async fn what_indexes_by_ranges_say_is_what_whole_ones_say() {
    let Some((bucket, _)) = some_blocks().await else { return };
    let whole = open(&bucket, Settings::default()).await;
    let ranged = open(&bucket, by_ranges(None)).await;
    let regex = |name: &str, value: &str| Matcher::new(MatchOp::Regex, name, value).unwrap();
    let cx = Context::inline(NOW_MS);
    for matchers in [
        vec![],
        one_metric(),
        vec![regex("__name__", "http.*|up"), regex("code", "4..|")],
        vec![Matcher::new(MatchOp::NotEqual, "job", "node").unwrap(), regex("instance", ".*1:.*")],
        vec![Matcher::equal("job", "absent")],
    ] {
        for without in [vec![], vec!["instance".to_owned(), "replica".to_owned()]] {
            let request = SeriesRequest {
                without_replica_labels: without.clone(),
                ..SeriesRequest::new(TimeRange::ALL, matchers.clone())
            };
            let series = async |gateway: &Gateway| {
                let mut stream = gateway.series(&cx, request.clone());
                let mut all = Vec::new();
                while let Some(frame) = stream.next().await {
                    if let Frame::Batch(batch) = frame.unwrap() {
                        for i in 0..batch.len() {
                            let chunks = batch.chunks_of(i);
                            let chunks: Vec<_> = chunks.map(|c| (c.min_time, c.payload().to_vec())).collect();
                            all.push((batch.labels_of(i).to_labels(), chunks));
                        }
                    }
                }
                all
            };
            assert_eq!(series(&ranged).await, series(&whole).await, "{matchers:?} without {without:?}");
            for label in ["code", "cluster", "absent"] {
                let request = LabelsRequest {
                    label: label.to_owned(),
                    range: TimeRange::ALL,
                    matchers: matchers.clone(),
                    without_replica_labels: without.clone(),
                    limit: 0,
                    partial_response: PartialResponse::Abort,
                    block_matchers: Vec::new(),
                };
                let values = [&ranged, &whole].map(|gateway| gateway.label_values(&cx, request.clone()));
                let [a, b] = futures::future::join_all(values).await.try_into().unwrap();
                assert_eq!(a.unwrap().names, b.unwrap().names, "{label} of {matchers:?}");
                let names = [&ranged, &whole].map(|gateway| gateway.label_names(&cx, request.clone()));
                let [a, b] = futures::future::join_all(names).await.try_into().unwrap();
                assert_eq!(a.unwrap().names, b.unwrap().names, "{matchers:?}");
            }
        }
    }
}
