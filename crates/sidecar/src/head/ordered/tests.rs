use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use block::Encoding;
use bytes::Bytes;
use model::TimeRange;
use prost::Message;
use proto::prometheus as pb;
use store::testing::{collect, prefixes_and_extensions};
use store::{Shard, Store};
use tokio::sync::oneshot;

use super::*;
use crate::client::HttpConfig;
use crate::head::collect::Collector;
use crate::{HeadState, PrometheusClient, PrometheusStore};

fn chunk(min_time: i64) -> NewChunk {
    let payload = Bytes::copy_from_slice(&min_time.to_be_bytes());
    NewChunk { min_time, max_time: min_time + 1, encoding: Encoding::Xor, payload }
}

/// As Prometheus gives it: with the external labels that the series does not have itself.
fn given(own: &Labels, external: &Labels) -> Labels {
    let mut pairs: BTreeMap<&str, &str> = external.iter().collect();
    pairs.extend(own.iter());
    Labels::from_pairs(pairs)
}

/// Labels, and the times of chunks.
type Shown = Vec<(Labels, Vec<i64>)>;

fn show(batches: &[SeriesBatch]) -> Shown {
    let rows = batches.iter().flat_map(|batch| (0..batch.len()).map(move |i| (batch, i)));
    let times = |batch: &SeriesBatch, i| {
        let chunks = batch.chunks_of(i);
        chunks.inspect(|c| assert_eq!(c.payload(), c.min_time.to_be_bytes())).map(|c| c.min_time).collect()
    };
    rows.map(|(batch, i)| (batch.labels_of(i).to_labels(), times(batch, i))).collect()
}

/// Both ways to the same answer; whether it came in order.
fn check(sets: &BTreeSet<Labels>, external: &Labels, request: &SeriesRequest) -> bool {
    let cx = Context::inline(0);
    let disordered = Arc::new(AtomicBool::new(false));
    let mut ordered = Ordered::new(&cx, external, request, Arc::clone(&disordered)).unwrap();
    let mut collector = Collector::new(&cx, external, request).unwrap();
    let (mut batches, mut failed) = (Vec::new(), false);
    for (i, own) in sets.iter().enumerate() {
        let labels = given(own, external);
        let pairs: Vec<_> = labels.iter().collect();
        // In two parts, as a series comes that does not fit into a frame.
        for part in [2, 1] {
            let chunks = vec![chunk(i as i64 * 10 + part)];
            collector.add(&pairs, chunks.clone()).unwrap();
            failed = failed || ordered.push(&pairs, chunks).is_err();
        }
        batches.extend(ordered.take(&cx, false).unwrap());
    }
    assert_eq!(failed, disordered.load(Ordering::Relaxed));
    if !failed {
        batches.extend(ordered.take(&cx, true).unwrap());
        assert_eq!(show(&batches), show(&collector.finish().unwrap()), "{external} {request:?}");
        drop((ordered, batches));
        assert_eq!(cx.memory().used(), 0);
    }
    !failed
}

#[test]
fn what_streams_is_what_would_be_collected() {
    let everything = SeriesRequest::new(TimeRange::ALL, Vec::new());
    let shard = Shard { index: 1, total: 3, by: true, labels: vec!["b".to_owned(), "e".to_owned()] };
    for external in [&["a"][..], &["c"], &["e"], &["i"], &["c", "e"], &["a", "g"], &["c", "i"], &[]] {
        let external = Labels::from_pairs(external.iter().map(|n| (*n, "x")));
        for without in [&[][..], &["a", "e", "z"], &["c", "g"]] {
            for (limit, shard) in [(0, None), (7, None), (0, Some(shard.clone())), (5, Some(shard.clone()))] {
                let without_replica_labels = without.iter().map(|&w| w.to_owned()).collect();
                let request = SeriesRequest { limit, shard, without_replica_labels, ..everything.clone() };
                assert!(check(&prefixes_and_extensions(), &external, &request));
            }
        }
    }
}

#[test]
fn an_order_that_cannot_be_kept_is_noticed() {
    let request = SeriesRequest::new(TimeRange::ALL, Vec::new());
    for name in ["b", "d", "f"] {
        assert!(!check(&prefixes_and_extensions(), &Labels::from_pairs([(name, "1")]), &request), "{name} is replaced");
        let without = SeriesRequest { without_replica_labels: vec![name.to_owned()], ..request.clone() };
        assert!(!check(&prefixes_and_extensions(), &Labels::from_pairs([("e", "1")]), &without), "{name} is removed");
    }
}

/// A frame of a streamed answer, with a chunk for each of the series.
fn frame(series: &[Labels]) -> Bytes {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let one = |labels: &Labels| pb::ChunkedSeries {
        labels: labels.iter().map(|(n, v)| pb::Label { name: text(n), value: text(v) }).collect(),
        chunks: vec![pb::Chunk { min_time_ms: 1, max_time_ms: 2, r#type: 1, data: text("abc") }],
    };
    let answer = pb::ChunkedReadResponse { chunked_series: series.iter().map(one).collect(), query_index: 0 };
    let data = answer.encode_to_vec();
    let mut out = Vec::new();
    prost::encoding::encode_varint(data.len() as u64, &mut out);
    out.extend_from_slice(&crc32c::crc32c(&data).to_be_bytes());
    out.extend_from_slice(&data);
    out.into()
}

/// A Prometheus with the label names `names`, that answers reads with `first` and, once it is let, with `then`.
async fn prometheus(names: &'static str, first: Bytes, then: Bytes) -> (PrometheusStore, oneshot::Sender<()>) {
    let (let_go, go) = oneshot::channel::<()>();
    let go = Arc::new(std::sync::Mutex::new(Some(go)));
    let labels = post(move || async move { format!(r#"{{"status":"success","data":{names}}}"#) });
    let read = post(move || {
        let (first, then, go) = (first.clone(), then.clone(), go.lock().unwrap().take());
        let rest = async move {
            if let Some(go) = go {
                let _told = go.await;
            }
            then
        };
        let body = stream::iter([first]).chain(stream::once(rest)).map(Ok::<_, Infallible>);
        let kind = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
        async move { ([("content-type", kind)], Body::from_stream(body)) }
    });
    let router = Router::new().route("/api/v1/labels", labels).route("/api/v1/read", read);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = PrometheusClient::new(&url, HttpConfig::default(), Duration::from_secs(60)).unwrap();
    let state = HeadState { external_labels: Labels::from_pairs([("cluster", "eu")]), min_time: 0 };
    (PrometheusStore::new(client, state), let_go)
}

/// Series with the labels that `Prometheus` adds; of each two one is a prefix of the other.
fn many(from: usize, until: usize) -> Vec<Labels> {
    let series = |i: usize| {
        let mut pairs = vec![("a".to_owned(), format!("{i:05}")), ("cluster".to_owned(), "eu".to_owned())];
        [pairs.clone(), {
            pairs.push(("b".to_owned(), "x".to_owned()));
            pairs
        }]
    };
    (from..until).flat_map(series).map(Labels::from_pairs).collect()
}

#[tokio::test]
async fn an_answer_goes_out_while_it_comes() {
    let (store, let_go) = prometheus(r#"["a","b"]"#, frame(&many(0, 300)), frame(&many(300, 400))).await;
    let cx = Context::inline(0);
    let request = SeriesRequest {
        without_replica_labels: vec!["replica".to_owned()],
        ..SeriesRequest::new(TimeRange::ALL, Vec::new())
    };
    let mut answer = store.series(&cx, request.clone());
    let Some(Ok(Frame::Batch(first))) = answer.next().await else { panic!("no batch") };
    // But for the last one, which may go on, and those held back.
    assert!(first.len() >= 590, "{}", first.len());
    let_go.send(()).unwrap();
    let Some(Ok(Frame::Batch(second))) = answer.next().await else { panic!("no batch") };
    assert!(answer.next().await.is_none());
    let all: Vec<_> =
        [first, second].iter().flat_map(|b| b.labels.iter().map(|l| l.to_labels()).collect::<Vec<_>>()).collect();
    assert_eq!(all.len(), 800);
    assert!(all.is_sorted_by(|a, b| a < b));
    assert_eq!((all[0].get("b"), all[1].get("b")), (Some("x"), None), "they changed places");
    assert_eq!(collect(store.series(&cx, request)).await.unwrap().series.len(), 800);
}

#[tokio::test]
async fn an_answer_whose_order_goes_is_collected() {
    let series = [[("a", "1"), ("b", "1")], [("a", "1"), ("b", "2")], [("a", "2"), ("b", "1")]];
    let frames = |series: &[[(&str, &str); 2]]| {
        frame(
            &series
                .iter()
                .map(|pairs| given(&Labels::from_pairs(*pairs), &Labels::from_pairs([("cluster", "eu")])))
                .collect::<Vec<_>>(),
        )
    };
    let request = SeriesRequest {
        without_replica_labels: vec!["a".to_owned()],
        ..SeriesRequest::new(TimeRange::ALL, Vec::new())
    };
    let cx = Context::inline(0);
    let expected: Vec<_> = ["1", "2"].map(|b| Labels::from_pairs([("b", b), ("cluster", "eu")])).to_vec();
    let labels = |found: &store::testing::Collected| found.series.iter().map(|(l, _)| l.clone()).collect::<Vec<_>>();
    let (store, let_go) = prometheus(r#"["a","b"]"#, frames(&series), Bytes::new()).await;
    drop(let_go);
    assert_eq!(labels(&collect(store.series(&cx, request.clone())).await.unwrap()), expected);
    // Where a label is there that was not named, this is noticed, and looked after from then on.
    let (store, let_go) = prometheus(r#"["b"]"#, frames(&series), Bytes::new()).await;
    drop(let_go);
    let e = collect(store.series(&cx, request.clone())).await.unwrap_err();
    assert!(e.to_string().contains("prometheus gave {"), "{e}");
    assert_eq!(labels(&collect(store.series(&cx, request)).await.unwrap()), expected);
}
