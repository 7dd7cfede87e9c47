use block::Columns;
use block::chunk::encode_floats;
use engine::Grid;
use futures::executor::block_on;
use futures::stream::StreamExt;
use model::{Labels, Matcher, TimeRange};
use request::Missing;
use store::dedup::{Lanes, penalty, split_lanes, stable};
use store::testing::{MemoryStore, ScriptedStore, Then};
use store::{Endpoints, Proxy, ProxyOptions, StoreInfo};

use super::*;

mod partition;

const START: i64 = 1_700_000_400_000;
const HOUR: i64 = 3_600_000;

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap()))
}

/// Samples every 30 s over six hours with an outage, different for each seed.
fn samples(seed: i64) -> Columns {
    let mut out = Columns::default();
    for i in 0..720 {
        let since = i * 30_000;
        if (since - seed * HOUR).rem_euclid(5 * HOUR) >= 600_000 {
            out.t.push(START + seed * 7_001 + since);
            out.v.push((since + seed) as f64);
        }
    }
    out
}

fn part(columns: &Columns, range: TimeRange) -> Columns {
    let kept = columns.t.iter().zip(&columns.v).filter(|(t, _)| range.contains(**t));
    let (t, v) = kept.map(|(&t, &v)| (t, v)).unzip();
    Columns { t, v, ..Columns::default() }
}

/// A store of one external label set with series of the given samples.
fn store(name: &str, external: &str, series: &[(&str, Columns)]) -> MemoryStore {
    let mut store = MemoryStore::new(name).extent(labels(external), TimeRange::new(START, START + 7 * HOUR));
    for (set, columns) in series {
        store.add(labels(&format!("{set},{external}")), encode_floats(&columns.t, &columns.v, 120));
    }
    store
}

fn selector(stores: Vec<MemoryStore>, options: Options) -> Selector {
    let stores = stores.into_iter().map(|s| Arc::new(s) as Arc<dyn Store>).collect();
    Selector::new(Arc::new(Proxy::new(Arc::new(Endpoints::new(stores)), ProxyOptions::default())), options)
}

fn dedup(func: Func) -> Options {
    Options { dedup: true, replica_labels: vec!["replica".into(), "rule_replica".into()], func, ..Options::default() }
}

fn select(min: i64, max: i64) -> Select {
    Select {
        matchers: vec![Matcher::equal("__name__", "m")],
        samples: TimeRange::new(min, max),
        grid: Grid { start_ms: min, end_ms: max, step_ms: 60_000 },
        window_ms: 0,
        offset_ms: 0,
        func: String::new(),
        grouping: None,
        skip_chunks: false,
    }
}

type Series = Vec<(String, Vec<(i64, f64)>)>;

/// All series with the samples inside the selection.
fn run(selector: &Selector, cx: &Context, select: Select) -> Result<Series, Error> {
    block_on(async {
        let range = select.samples;
        let mut stream = selector.select(cx, select);
        let (mut all, mut columns) = (Vec::new(), Columns::default());
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            for i in 0..batch.len() {
                batch.decode(i, &mut columns)?;
                all.push((batch.labels(i).to_labels().to_string(), pairs(&columns, range)));
            }
        }
        Ok(all)
    })
}

fn pairs(columns: &Columns, range: TimeRange) -> Vec<(i64, f64)> {
    columns.t.iter().copied().zip(columns.v.iter().copied()).filter(|(t, _)| range.contains(*t)).collect()
}

fn ha_pair() -> Vec<MemoryStore> {
    // Without the replica label the order of series changes: `replica` sorts before `z`.
    let series = |seed| vec![("__name__=m,z=1", samples(seed)), ("__name__=m,z=2", samples(seed + 2))];
    vec![
        store("a", "cluster=eu,replica=a", &series(0)),
        store("b", "cluster=eu,replica=b", &series(1)),
        store("us", "cluster=us", &series(4)),
    ]
}

#[test]
fn replicas_become_one_series_that_no_window_changes() {
    let selector = selector(ha_pair(), dedup(Func::Stable));
    let mut expected = Columns::default();
    stable(&[samples(0), samples(1)], &mut expected);
    for (from, to) in [(0, 6 * HOUR), (700_000, 800_001), (HOUR + 1, 2 * HOUR), (5 * HOUR, 7 * HOUR)] {
        let range = TimeRange::new(START + from, START + to);
        let cx = Context::inline(0);
        let all = run(&selector, &cx, select(range.min, range.max)).unwrap();
        let names: Vec<_> = all.iter().map(|s| s.0.as_str()).collect();
        let series = |cluster: &str, z: i32| format!(r#"{{__name__="m", cluster="{cluster}", z="{z}"}}"#);
        assert_eq!(names, [series("eu", 1), series("eu", 2), series("us", 1), series("us", 2)]);
        assert_eq!(all[0].1, pairs(&expected, range));
        assert_eq!(all[2].1, pairs(&samples(4), range));
        assert_eq!((cx.memory().used(), cx.coverage().resolutions_ms()), (0, vec![0]));
    }
}

#[test]
fn parts_of_one_replica_in_two_stores_are_put_together_first() {
    let (old, new) = (TimeRange::new(0, START + 3 * HOUR), TimeRange::new(START + 2 * HOUR + 12_345, i64::MAX));
    let whole = selector(ha_pair(), dedup(Func::Stable));
    let mut stores = Vec::new();
    for (name, external, seed) in [("a", "cluster=eu,replica=a", 0), ("b", "cluster=eu,replica=b", 1)] {
        for range in [old, new] {
            let series = [("__name__=m,z=1", part(&samples(seed), range))];
            stores.push(store(name, external, &series));
        }
    }
    let split = selector(stores, dedup(Func::Stable));
    let (min, max) = (START + HOUR, START + 5 * HOUR);
    let cx = Context::inline(0);
    assert_eq!(run(&split, &cx, select(min, max)).unwrap()[0], run(&whole, &cx, select(min, max)).unwrap()[0]);
    // Also where no replica is known, and without deduplication.
    let lone = [old, new].map(|r| store("s", "cluster=us", &[("__name__=m,z=1", part(&samples(4), r))])).to_vec();
    for options in [dedup(Func::Stable), dedup(Func::Chain), Options::default()] {
        let all = run(&selector(lone.clone(), options), &cx, select(min, max)).unwrap();
        assert_eq!(all[0].1, pairs(&samples(4), TimeRange::new(min, max)));
    }
}

#[test]
fn replica_labels_inside_the_series_are_merged_too() {
    let series = [("__name__=m,replica=a,z=1", samples(0)), ("__name__=m,replica=b,z=1", samples(1))];
    let (inner, cx) = (store("s", "cluster=eu", &series), Context::inline(0));
    let mut expected = Columns::default();
    stable(&[samples(0), samples(1)], &mut expected);
    let all = run(&selector(vec![inner.clone()], dedup(Func::Stable)), &cx, select(START, START + 6 * HOUR)).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].1.len(), expected.t.len());
    // Beside a store that has the label outside.
    let mut stores = ha_pair();
    stores.push(store("x", "cluster=asia", &series));
    let all = run(&selector(stores, dedup(Func::Stable)), &cx, select(START, START + 6 * HOUR)).unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(all[0].1, pairs(&expected, TimeRange::ALL));
}

#[test]
fn penalty_sees_the_window_only() {
    let selector = selector(ha_pair(), dedup(Func::Penalty));
    for (from, to) in [(0, 6 * HOUR), (HOUR - 60_000, 2 * HOUR), (5 * HOUR, 7 * HOUR)] {
        let range = TimeRange::new(START + from, START + to);
        // Whole chunks that overlap the window, dealt to lanes whichever replica they are of.
        let mut chunks = [samples(0), samples(1)].map(|s| encode_floats(&s.t, &s.v, 120)).concat();
        chunks.retain(|c| range.overlaps(TimeRange::new(c.min_time, c.max_time)));
        chunks.sort_by_key(|c| c.min_time);
        let mut lanes = Lanes::default();
        split_lanes(chunks.iter().map(|c| TimeRange::new(c.min_time, c.max_time)), &mut lanes);
        let mut streams = vec![Columns::default(); lanes.count];
        for (chunk, lane) in chunks.iter().zip(&lanes.of) {
            block::chunk::decode(chunk.encoding, &chunk.bytes, &mut streams[*lane as usize]).unwrap();
        }
        let streams: Vec<_> = streams.iter().map(|s| part(s, range)).collect();
        let mut expected = Columns::default();
        penalty(&streams, &mut expected);
        let all = run(&selector, &Context::inline(0), select(range.min, range.max)).unwrap();
        assert_eq!(all[0].1, pairs(&expected, range), "{from}");
    }
}

#[test]
fn without_dedup_replicas_are_series_of_their_own() {
    let selector = selector(ha_pair(), Options { dedup: false, ..dedup(Func::Penalty) });
    let all = run(&selector, &Context::inline(0), select(START, START + HOUR)).unwrap();
    assert_eq!(all.len(), 6);
    let range = TimeRange::new(START, START + HOUR);
    let labels = r#"{__name__="m", cluster="eu", replica="b", z="1"}"#;
    assert_eq!(all.iter().find(|s| s.0 == labels).unwrap().1, pairs(&samples(1), range));
}

#[test]
fn labels_alone_need_no_chunks() {
    let selector = selector(ha_pair(), dedup(Func::Stable));
    let mut select = select(START, START + HOUR);
    select.skip_chunks = true;
    let cx = Context::inline(0);
    let all = run(&selector, &cx, select).unwrap();
    assert!(all.len() == 4 && all.iter().all(|s| s.1.is_empty()));
    assert_eq!(cx.stats().chunks.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn what_is_missing_is_noted_or_fails() {
    let info = (*store("us", "cluster=us", &[]).info()).clone();
    let down = ScriptedStore { info: Arc::new(info), then: Then::Fail(store::Error::Unavailable("down".into())) };
    let stores: Vec<Arc<dyn Store>> = vec![Arc::new(ha_pair().remove(0)), Arc::new(down)];
    let proxy = Arc::new(Proxy::new(Arc::new(Endpoints::new(stores)), ProxyOptions::default()));
    let cx = Context::inline(0);
    let lenient = Selector::new(proxy.clone(), dedup(Func::Stable));
    assert_eq!(run(&lenient, &cx, select(START, START + HOUR)).unwrap().len(), 2);
    let Missing { store, cause, min_time, max_time, .. } = cx.coverage().missing().remove(0);
    assert_eq!((store.as_str(), cause.as_str(), min_time, max_time), ("us", "down", START, START + HOUR));
    let strict = Options { partial_response: PartialResponse::Abort, ..dedup(Func::Stable) };
    let e = run(&Selector::new(proxy, strict), &cx, select(START, START + HOUR)).unwrap_err();
    assert_eq!(e.to_string(), "store us: down");
}

#[test]
fn a_damaged_chunk_names_its_series() {
    let mut broken = store("a", "cluster=eu,replica=a", &[]);
    let chunk = &encode_floats(&[START], &[1.0], 120)[0];
    broken.add(labels("__name__=m,replica=a"), [block::EncodedChunk { bytes: vec![0, 9, 1], ..chunk.clone() }]);
    let e = run(&selector(vec![broken], dedup(Func::Stable)), &Context::inline(0), select(START, START)).unwrap_err();
    assert!(matches!(&e, Error::Corrupt(c) if c.file.contains(r#""m""#)), "{e}");
}
