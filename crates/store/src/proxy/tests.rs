use std::sync::Mutex;

use block::{EncodedChunk, Encoding};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt};
use model::MatchOp;
use request::{InlinePool, MemoryBudget, Timer};

use super::*;
use crate::testing::{Collected, MemoryStore, ScriptedStore, Then, collect, labels_request};
use crate::{Limited, Limits};

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap()))
}

/// A store with external labels whose series are `metric{external, i}` for the given numbers.
fn store(name: &str, external: &str, range: (i64, i64), numbers: &[u32]) -> MemoryStore {
    let mut store = MemoryStore::new(name).extent(labels(external), TimeRange::new(range.0, range.1));
    for i in numbers {
        let set = labels(&format!("__name__=metric,{external},i={i}"));
        let bytes = format!("{name}{i}").into_bytes();
        store.add(set, [EncodedChunk { min_time: range.0, max_time: range.1, encoding: Encoding::Xor, bytes }]);
    }
    store
}

fn failing(name: &str, external: &str, then: Then) -> ScriptedStore {
    let info = store(name, external, (0, 100), &[]).info();
    ScriptedStore { info, then }
}

fn proxy(stores: Vec<Arc<dyn Store>>) -> Proxy {
    Proxy::new(Arc::new(Endpoints::new(stores)), ProxyOptions::default())
}

fn request(min: i64, max: i64, matchers: &[Matcher]) -> SeriesRequest {
    SeriesRequest::new(TimeRange::new(min, max), matchers.to_vec())
}

fn ask(store: &dyn Store, request: SeriesRequest) -> Result<Collected> {
    block_on(collect(store.series(&Context::inline(0), request)))
}

fn names(all: &Collected) -> Vec<String> {
    all.series.iter().map(|(l, _)| l.to_string()).collect()
}

#[test]
fn stores_are_asked_by_labels_and_time() {
    let p = proxy(vec![
        Arc::new(store("eu", "cluster=eu", (0, 100), &[1])),
        Arc::new(store("us", "cluster=us", (50, 200), &[1])),
        // Would fail if asked; it has other labels.
        Arc::new(failing("asia", "cluster=asia", Then::Fail(Error::Unavailable("down".into())))),
    ]);
    let not_asia = Matcher::new(MatchOp::NotEqual, "cluster", "asia").unwrap();
    let both = ask(&p, request(60, 70, std::slice::from_ref(&not_asia))).unwrap();
    assert_eq!(both.series.len(), 2);
    assert_eq!(both.missing, []);
    let early = ask(&p, request(0, 40, &[not_asia])).unwrap();
    assert_eq!(names(&early), [r#"{__name__="metric", cluster="eu", i="1"}"#]);
    let one = ask(&p, request(0, 40, &[Matcher::equal("cluster", "us")])).unwrap();
    assert_eq!(one, Collected::default());
}

#[test]
fn a_failed_store_is_named_or_ends_the_request() {
    let down = Then::Fail(Error::Unavailable("connection refused".into()));
    let p =
        proxy(vec![Arc::new(store("eu", "cluster=eu", (0, 100), &[1])), Arc::new(failing("us", "cluster=us", down))]);
    let all = ask(&p, request(10, 500, &[])).unwrap();
    assert_eq!(all.series.len(), 1);
    let missing = Missing {
        labels: vec![("cluster".into(), "us".into())],
        min_time: 10,
        max_time: 100,
        store: "us".into(),
        cause: "connection refused".into(),
    };
    assert_eq!(all.missing, std::slice::from_ref(&missing));

    let mut strict = request(10, 500, &[]);
    strict.partial_response = PartialResponse::Abort;
    let e = ask(&p, strict.clone()).unwrap_err().to_string();
    assert_eq!(e, "store us: connection refused");
    // A proxy behind a proxy hands it on, or fails for it.
    let outer = proxy(vec![Arc::new(p.clone())]);
    assert_eq!(ask(&outer, request(10, 500, &[])).unwrap().missing, std::slice::from_ref(&missing));

    let cx = Context::inline(0);
    let mut asked = labels_request("i", vec![]);
    let answer = block_on(p.label_values(&cx, asked.clone())).unwrap();
    assert_eq!((answer.names, answer.missing.len()), (vec!["1".to_owned()], 1));
    asked.partial_response = PartialResponse::Abort;
    assert!(block_on(p.label_values(&cx, asked)).is_err());
    assert!(matches!(ask(&proxy(vec![]), strict), Err(Error::Unavailable(_))));
}

#[test]
fn errors_of_the_request_itself_are_never_partial() {
    for e in [Error::BadRequest("no".into()), Error::Exhausted("limit".into())] {
        let p = proxy(vec![Arc::new(failing("us", "cluster=us", Then::Fail(e)))]);
        assert!(ask(&p, request(0, 10, &[])).is_err());
    }
    let p = proxy(vec![Arc::new(failing("us", "cluster=us", Then::Hang))]);
    let cx = Context::inline(0);
    cx.cancel().cancel();
    assert!(matches!(block_on(collect(p.series(&cx, request(0, 10, &[])))), Err(Error::Interrupted(_))));
}

/// Fires when told to.
#[derive(Debug, Default)]
struct ManualTimer(Mutex<Vec<oneshot::Sender<()>>>);

impl Timer for ManualTimer {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap().push(sender);
        receiver.map(|_| ()).boxed()
    }
}

#[test]
fn a_silent_store_times_out() {
    let timer = Arc::new(ManualTimer::default());
    let cx = Context::new(0, MemoryBudget::new(u64::MAX).account(u64::MAX), Arc::new(InlinePool), timer.clone());
    let stores: Vec<Arc<dyn Store>> =
        vec![Arc::new(store("eu", "cluster=eu", (0, 100), &[1])), Arc::new(failing("us", "cluster=us", Then::Hang))];
    let options = ProxyOptions { response_timeout: Duration::from_secs(5), ..ProxyOptions::default() };
    let p = Proxy::new(Arc::new(Endpoints::new(stores)), options);
    let mut stream = p.series(&cx, request(0, 10, &[]));
    assert!(stream.next().now_or_never().is_none(), "waits for the silent store");
    timer.0.lock().unwrap().clear();
    let all = block_on(collect(stream)).unwrap();
    assert_eq!((all.series.len(), all.missing.len()), (1, 1));
    assert_eq!(all.missing[0].cause, "nothing came within 5s");

    let answer = p.label_names(&cx, labels_request("", vec![]));
    let mut answer = Box::pin(answer);
    assert!(answer.as_mut().now_or_never().is_none());
    timer.0.lock().unwrap().clear();
    assert_eq!(block_on(answer).unwrap().missing.len(), 1);
}

#[test]
fn stores_can_change_and_be_chosen_by_address() {
    let endpoints = Arc::new(Endpoints::new(vec![Arc::new(store("a:1", "r=a", (0, 9), &[1]))]));
    let p = Proxy::new(endpoints.clone(), ProxyOptions::default());
    assert_eq!(ask(&p, request(0, 9, &[])).unwrap().series.len(), 1);
    endpoints.set(vec![Arc::new(store("a:1", "r=a", (0, 9), &[1])), Arc::new(store("b:1", "r=b", (5, 20), &[2]))]);
    assert_eq!(ask(&p, request(0, 9, &[])).unwrap().series.len(), 2);
    let only_b = p.matching(vec![vec![Matcher::equal("__address__", "b:1")]]);
    assert_eq!(names(&ask(&only_b, request(0, 9, &[])).unwrap()), [r#"{__name__="metric", i="2", r="b"}"#]);
    assert_eq!(only_b.info().extents.len(), 1);
    assert_eq!(p.info().time_range(), Some(TimeRange::new(0, 20)));
}

/// A store that can neither remove labels nor shard, and sorts by its full labels.
#[derive(Debug)]
struct Plain(MemoryStore);

#[async_trait]
impl Store for Plain {
    fn info(&self) -> Arc<StoreInfo> {
        let info = (*self.0.info()).clone();
        Arc::new(StoreInfo { supports_sharding: false, supports_without_replica_labels: false, ..info })
    }
    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>> {
        assert!(request.without_replica_labels.is_empty() && request.shard.is_none() && request.limit == 0);
        self.0.series(cx, request)
    }
    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.0.label_names(cx, request).await
    }
    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names> {
        self.0.label_values(cx, request).await
    }
}

#[test]
fn what_a_store_cannot_do_is_done_for_it() {
    // `a` sorts before `i`, so without it the order changes and series fall together.
    let whole = || {
        let mut all = store("s", "a=x", (0, 9), &[1, 2, 3]);
        for (l, _) in ask(&store("s", "a=y", (10, 19), &[2, 4]), request(0, 99, &[])).unwrap().series {
            let bytes = b"later".to_vec();
            all.add(l, [EncodedChunk { min_time: 10, max_time: 19, encoding: Encoding::Xor, bytes }]);
        }
        all
    };
    let (able, plain) = (proxy(vec![Arc::new(whole())]), proxy(vec![Arc::new(Plain(whole()))]));
    for index in [None, Some(0), Some(1)] {
        for limit in [0, 2] {
            let mut request = request(0, 99, &[]);
            request.without_replica_labels = vec!["a".into()];
            request.shard = index.map(|index| crate::Shard { index, total: 2, by: true, labels: vec!["i".into()] });
            request.limit = limit;
            request.batch_size = 2;
            let expected = ask(&able, request.clone()).unwrap();
            assert_eq!(ask(&plain, request).unwrap(), expected);
        }
    }
}

#[test]
fn limits_end_a_request_and_are_named() {
    let limited = |limits| Limited::new(Arc::new(store("s", "a=x", (0, 9), &[1, 2, 3])), limits);
    let matcher = [Matcher::equal("a", "x")];
    let ask = |limits| ask(&limited(limits), request(0, 9, &matcher));
    assert_eq!(ask(Limits { series: 3, samples: 360 }).unwrap().series.len(), 3);
    let e = ask(Limits { series: 2, samples: 0 }).unwrap_err();
    assert_eq!(
        e.to_string(),
        r#"{a="x"} selects too many series: limit 2 violated (got 3), --store.limits.request-series"#
    );
    assert!(matches!(ask(Limits { series: 0, samples: 359 }), Err(Error::Exhausted(_))));
}
