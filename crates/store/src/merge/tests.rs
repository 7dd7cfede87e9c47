use block::{EncodedChunk, Encoding};
use futures::executor::block_on;
use futures::stream::{self, StreamExt};
use model::{Labels, TimeRange};
use request::{Context, Missing};

use super::*;
use crate::testing::{Collected, MemoryStore, collect};
use crate::{Error, Frame, SeriesRequest, Store};

fn chunk(min: i64, max: i64, payload: &str) -> EncodedChunk {
    EncodedChunk { min_time: min, max_time: max, encoding: Encoding::Xor, bytes: payload.as_bytes().to_vec() }
}

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap()))
}

type Row<'a> = (&'a str, &'a [(i64, i64, &'a str)]);

fn store(series: &[Row<'_>]) -> MemoryStore {
    let mut store = MemoryStore::new("test");
    for (l, chunks) in series {
        store.add(labels(l), chunks.iter().map(|&(min, max, payload)| chunk(min, max, payload)));
    }
    store
}

fn frames(store: &MemoryStore, cx: &Context, batch_size: usize) -> stream::BoxStream<'static, crate::Result<Frame>> {
    let mut request = SeriesRequest::new(TimeRange::ALL, Vec::new());
    request.batch_size = batch_size;
    store.series(cx, request)
}

fn merged(stores: &[MemoryStore], batch_size: usize, options: MergeOptions) -> Collected {
    let cx = Context::inline(0);
    let streams = stores.iter().map(|s| frames(s, &cx, batch_size)).collect();
    let all = block_on(collect(merge_streams(streams, options))).unwrap();
    assert_eq!(cx.memory().used(), 0, "every lease came back");
    all
}

fn show(all: &Collected) -> Vec<String> {
    let chunk =
        |c: &crate::testing::CollectedChunk| format!("{}-{}:{}/{}", c.0, c.1, String::from_utf8_lossy(&c.3), c.2);
    all.series
        .iter()
        .map(|(l, chunks)| format!("{l} {}", chunks.iter().map(chunk).collect::<Vec<_>>().join(" ")))
        .collect()
}

#[test]
fn equal_label_sets_become_one_series_with_chunks_ascending_and_once() {
    let a = store(&[("a=1", &[(0, 9, "x"), (20, 29, "z")]), ("a=1,b=1", &[(0, 9, "q")]), ("a=3", &[(5, 6, "r")])]);
    let b = store(&[("a=1", &[(0, 9, "x"), (10, 19, "y")]), ("a=2", &[(0, 1, "s")])]);
    let c = store(&[]);
    for batch_size in [1, 2, 100] {
        for batch_series in [1, 2, 100] {
            let options = MergeOptions { batch_series, ..MergeOptions::default() };
            let all = merged(&[a.clone(), b.clone(), c.clone()], batch_size, options);
            assert_eq!(
                show(&all),
                [
                    r#"{a="1"} 0-9:x/0 10-19:y/0 20-29:z/0"#,
                    r#"{a="1", b="1"} 0-9:q/0"#,
                    r#"{a="2"} 0-1:s/0"#,
                    r#"{a="3"} 5-6:r/0"#
                ]
            );
        }
    }
}

#[test]
fn tagged_replicas_keep_equal_chunks_apart() {
    let a = store(&[("a=1", &[(0, 9, "x")])]);
    let options = MergeOptions { tag_replicas: true, ..MergeOptions::default() };
    assert_eq!(show(&merged(&[a.clone(), a], 1, options)), [r#"{a="1"} 0-9:x/0 0-9:x/1"#]);
}

#[test]
fn a_limit_ends_the_merge() {
    let a = store(&[("a=1", &[(0, 1, "x")]), ("a=3", &[(0, 1, "x")])]);
    let b = store(&[("a=1", &[(2, 3, "y")]), ("a=2", &[(0, 1, "x")])]);
    let options = MergeOptions { limit: 2, ..MergeOptions::default() };
    assert_eq!(show(&merged(&[a, b], 1, options)), [r#"{a="1"} 0-1:x/0 2-3:y/0"#, r#"{a="2"} 0-1:x/0"#]);
}

#[test]
fn missing_frames_pass_and_an_error_ends_the_stream() {
    let missing = Missing { labels: vec![], min_time: 0, max_time: 1, store: "s".into(), cause: "gone".into() };
    let cx = Context::inline(0);
    let a = frames(&store(&[("a=1", &[(0, 1, "x")])]), &cx, 1);
    let b = stream::iter([Ok(Frame::Missing(missing.clone()))]).boxed();
    let all = block_on(collect(merge_streams(vec![a, b], MergeOptions::default()))).unwrap();
    assert_eq!((all.series.len(), all.missing), (1, vec![missing]));

    let a = frames(&store(&[("a=1", &[(0, 1, "x")])]), &cx, 1);
    let b = stream::iter([Err(Error::Unavailable("broken".into())), Ok(Frame::Stats(crate::Stats::default()))]).boxed();
    let mut stream = merge_streams(vec![a, b], MergeOptions::default());
    assert!(block_on(stream.next()).unwrap().is_err());
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn payloads_are_shared_not_copied() {
    let cx = Context::inline(0);
    let batches = |s: &MemoryStore| -> Vec<SeriesBatch> {
        block_on(
            frames(s, &cx, 1)
                .map(|f| match f.unwrap() {
                    Frame::Batch(b) => b,
                    _ => unreachable!("the store gives batches"),
                })
                .collect(),
        )
    };
    let a = batches(&store(&[("a=1", &[(0, 9, "x")]), ("a=2", &[(0, 9, "y")])]));
    let b = batches(&store(&[("a=2", &[(10, 19, "z")])]));
    let pointers: Vec<*const u8> = [&a[0], &a[1], &b[0]].map(|x| x.lists[0].buffers[0].as_ptr()).to_vec();
    let out: Vec<_> = merge_batches(vec![a, b], MergeOptions::default()).collect();
    assert_eq!(out.len(), 1);
    let buffers = out[0].lists.iter().flat_map(|list| &list.buffers);
    assert_eq!(buffers.map(|b| b.as_ptr()).collect::<Vec<_>>(), pointers);
    assert_eq!(cx.memory().used(), 3);
}

#[test]
fn any_split_into_sources_and_batches_merges_to_the_same() {
    // 40 label sets with 1..4 chunks each, dealt to 1..7 sources by a small generator.
    for seed in 1..60_u64 {
        let mut state = seed;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let count = 1 + next(7) as usize;
        let mut stores = vec![MemoryStore::new("part"); count];
        let mut whole = MemoryStore::new("whole");
        for i in 0..40 {
            let set = labels(&format!("__name__=m{},i={}", next(3), i));
            for k in 0..=next(4) as i64 {
                let c = chunk(k * 10, k * 10 + 9, &format!("{i}/{k}"));
                whole.add(set.clone(), [c.clone()]);
                let (first, second) = (next(count as u64) as usize, next(count as u64) as usize);
                stores[first].add(set.clone(), [c.clone()]);
                if second != first {
                    stores[second].add(set.clone(), [c]);
                }
            }
        }
        let options = MergeOptions { batch_series: 1 + next(50) as usize, ..MergeOptions::default() };
        let expected = merged(&[whole], 100, MergeOptions::default());
        assert_eq!(merged(&stores, 1 + next(9) as usize, options), expected, "seed {seed}");
    }
}
