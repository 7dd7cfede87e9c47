use std::sync::Arc;
use std::time::Duration;

use ::request::Context;
use block::chunk::{SAMPLES_PER_CHUNK, encode_floats};
use futures::StreamExt;
use futures::future::{FutureExt, Shared};
use model::{Labels, LabelsBuilder, TimeRange};
use store::conformance::{self, Data};
use store::testing::{MemoryStore, ScriptedStore, Then, collect, labels_request};
use store::{Error, SeriesRequest, Store};
use tokio::net::TcpListener;

use super::*;

/// A remote store over a server over `store`; what it returns besides keeps the server running.
pub(crate) async fn over_the_wire(store: Arc<dyn Store>, compression: Compression) -> (Arc<RemoteStore>, Stop) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown: Shared<_> = async move { drop(stopped.await) }.boxed().shared();
    let contexts: Contexts = Arc::new(|timeout| {
        let cx = Context::inline(0);
        Context::until(
            timeout.map(|t| std::time::Instant::now() + t),
            0,
            cx.memory().clone(),
            Arc::clone(cx.pool()),
            Arc::clone(cx.timer()),
        )
    });
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(serve(store, contexts, listener, ServerSettings::default(), shutdown));
    let remote = RemoteStore::new(RemoteSettings { address, tls: None, compression, clock: || 7 }).unwrap();
    assert!(remote.refresh().await, "{:?}", remote.status());
    (Arc::new(remote), Stop(stop))
}

pub(crate) struct Stop(#[expect(dead_code, reason = "held, not read")] tokio::sync::oneshot::Sender<()>);

fn filled(data: &Data) -> MemoryStore {
    let mut store = MemoryStore::new("memory")
        .extent(data.external.clone(), TimeRange::new(conformance::START_MS, conformance::END_MS));
    for (labels, samples) in &data.series {
        let mut builder = LabelsBuilder::from_iter(labels);
        data.external.iter().for_each(|(n, v)| {
            builder.set(n, v);
        });
        let (times, values): (Vec<_>, Vec<_>) = samples.iter().copied().unzip();
        store.add(builder.build(), encode_floats(&times, &values, SAMPLES_PER_CHUNK));
    }
    store
}

async fn conforms(compression: Compression) {
    let servers = std::sync::Mutex::new(Vec::new());
    conformance::run(async |data: Data| {
        let (remote, stop) = over_the_wire(Arc::new(filled(&data)), compression).await;
        servers.lock().unwrap().push(stop);
        remote as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_store_is_a_store() {
    conforms(Compression::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_store_is_a_store_when_compressed() {
    conforms(Compression::Zstd).await;
    conforms(Compression::Snappy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_keep_their_kind_and_name_the_peer() {
    let memory = MemoryStore::new("m").extent(Labels::empty(), TimeRange::ALL);
    for (error, expected) in [
        (Error::BadRequest("no such thing".into()), "BadRequest"),
        (Error::Exhausted("limit of 5 series".into()), "Exhausted"),
        (Error::Unavailable("no disk".into()), "Unavailable"),
    ] {
        let text = error.to_string();
        let store = ScriptedStore { info: memory.info(), then: Then::Fail(error) };
        let (remote, _stop) = over_the_wire(Arc::new(store), Compression::None).await;
        let cx = Context::inline(0);
        let series = collect(remote.series(&cx, SeriesRequest::new(TimeRange::ALL, vec![]))).await.unwrap_err();
        let names = remote.label_names(&cx, labels_request("", vec![])).await.unwrap_err();
        for e in [series, names] {
            assert!(format!("{e:?}").starts_with(expected), "{e:?}");
            assert_eq!(e.to_string(), format!("{}: {text}", remote.name()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_ends_at_the_deadline() {
    let memory = MemoryStore::new("m").extent(Labels::empty(), TimeRange::ALL);
    let store = ScriptedStore { info: memory.info(), then: Then::Hang };
    let (remote, _stop) = over_the_wire(Arc::new(store), Compression::None).await;
    let cx = Context::inline(0);
    let deadline = std::time::Instant::now() + Duration::from_millis(100);
    let cx = Context::until(Some(deadline), 0, cx.memory().clone(), Arc::clone(cx.pool()), Arc::clone(cx.timer()));
    let e = collect(remote.series(&cx, SeriesRequest::new(TimeRange::ALL, vec![]))).await.unwrap_err();
    assert!(matches!(e, Error::Interrupted(::request::Interrupted::TimedOut)), "{e:?}");
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_named_at_once() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let settings = RemoteSettings { address: address.clone(), tls: None, compression: Compression::None, clock: || 7 };
    let remote = RemoteStore::new(settings).unwrap();
    assert!(remote.info().time_range() == Some(TimeRange::ALL), "unknown, so it may have anything");
    assert!(!remote.refresh().await);
    assert_eq!(remote.status().last_check_ms, 7);
    let e = collect(remote.series(&Context::inline(0), SeriesRequest::new(TimeRange::ALL, vec![]))).await.unwrap_err();
    assert!(e.to_string().starts_with(&address) && e.to_string().contains("refused"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_crosses_the_wire() {
    let missing = ::request::Missing {
        labels: vec![("cluster".into(), "eu".into())],
        min_time: 1,
        max_time: 2,
        store: "s3".into(),
        cause: "403: \"denied\"; missing={\"".into(),
    };
    #[derive(Debug)]
    struct Lacking(::request::Missing);
    #[async_trait::async_trait]
    impl Store for Lacking {
        fn info(&self) -> Arc<store::StoreInfo> {
            MemoryStore::new("m").info()
        }
        fn series(
            &self,
            _: &Context,
            _: SeriesRequest,
        ) -> futures::stream::BoxStream<'static, store::Result<store::Frame>> {
            futures::stream::iter([Ok(store::Frame::Missing(self.0.clone()))]).boxed()
        }
        async fn label_names(&self, _: &Context, _: store::LabelsRequest) -> store::Result<store::Names> {
            Ok(store::Names { missing: vec![self.0.clone()], ..store::Names::default() })
        }
        async fn label_values(&self, cx: &Context, r: store::LabelsRequest) -> store::Result<store::Names> {
            self.label_names(cx, r).await
        }
    }
    let (remote, _stop) = over_the_wire(Arc::new(Lacking(missing.clone())), Compression::None).await;
    assert_eq!(remote.info().time_range(), None, "an empty store stays empty");
    let cx = Context::inline(0);
    let found = collect(remote.series(&cx, SeriesRequest::new(TimeRange::ALL, vec![]))).await.unwrap();
    assert_eq!(found.missing, std::slice::from_ref(&missing));
    assert_eq!(remote.label_values(&cx, labels_request("a", vec![])).await.unwrap().missing, [missing]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_slow_to_say_what_it_has_is_still_asked_while_it_serves() {
    let data = Data {
        external: Labels::from_pairs([("cluster", "eu")]),
        series: vec![(Labels::from_pairs([("__name__", "up")]), vec![(conformance::START_MS, 1.0)])],
    };
    let (remote, stop) = over_the_wire(Arc::new(filled(&data)), Compression::None).await;
    let ask = async || collect(remote.series(&Context::inline(0), SeriesRequest::new(TimeRange::ALL, vec![]))).await;
    let slow = || remote.checked(Err("no answer within 5 s".to_owned()));
    for _ in 0..3 {
        // Each answer makes up for the check that failed before it.
        assert!(!slow());
        assert_eq!(ask().await.unwrap().series.len(), 1);
    }
    assert_eq!(remote.status().last_error.as_deref(), Some("no answer within 5 s"));
    assert_eq!(remote.info().extents[0].labels, data.external, "what it last said stands");
    slow();
    slow();
    let e = ask().await.unwrap_err();
    assert_eq!(e.to_string(), format!("{}: no answer within 5 s", remote.name()));
    let e = remote.label_names(&Context::inline(0), labels_request("", vec![])).await.unwrap_err();
    assert!(e.to_string().contains("no answer"), "{e}");
    assert!(remote.refresh().await);
    assert_eq!(ask().await.unwrap().series.len(), 1);
    drop(stop);
}

#[tokio::test]
async fn encodings_that_thanos_does_not_name_are_written_anew_for_it() {
    use block::chunk::{EncodeOptions, Sample, SeriesEncoder};
    let labels = Labels::from_pairs([("__name__", "up")]);
    let mut encoder = SeriesEncoder::new(EncodeOptions { xor2: true, ..EncodeOptions::default() });
    let samples: Vec<(i64, f64)> = (0..300).map(|i| (i * 15_000, (i % 7) as f64)).collect();
    for &(t, v) in &samples {
        encoder.push(0, t, &Sample::Float(v)).unwrap();
    }
    let mut store = MemoryStore::new("memory").extent(Labels::empty(), TimeRange::new(0, 10_000_000));
    store.add(labels, encoder.finish());
    let (remote, _stop) = over_the_wire(Arc::new(store), Compression::None).await;

    let request = serde_json::json!({"rpc": "Series", "min_time": 0, "max_time": 10_000_000,
        "matchers": [{"Type": "EQ", "Name": "__name__", "Value": "up"}]});
    let inspector = Inspector::new(remote.name(), None, Duration::from_secs(60)).unwrap();
    let answer = inspector.ask(&request).await.unwrap();
    let chunks = answer["series"][0]["chunks"].as_array().unwrap();
    assert_eq!(chunks.len(), 3);
    assert!(chunks.iter().all(|c| c["aggregates"]["RAW"]["encoding"] == "XOR"), "{answer}");
    let expected = encode_floats(
        &samples.iter().map(|s| s.0).collect::<Vec<_>>(),
        &samples.iter().map(|s| s.1).collect::<Vec<_>>(),
        SAMPLES_PER_CHUNK,
    );
    for (chunk, expected) in chunks.iter().zip(&expected) {
        assert_eq!(chunk["aggregates"]["RAW"]["crc32c"], crc32c::crc32c(&expected.bytes));
    }

    let matchers = vec![model::Matcher::equal("__name__", "up")];
    let mut stream = remote.series(&Context::inline(0), SeriesRequest::new(TimeRange::new(0, 10_000_000), matchers));
    while let Some(frame) = stream.next().await {
        if let store::Frame::Batch(batch) = frame.unwrap() {
            assert!(batch.lists.iter().flat_map(|list| &list.chunks).all(|c| c.encoding == block::Encoding::Xor2));
        }
    }
}
