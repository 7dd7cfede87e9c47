//! Runs of series with replicas give what `stable` makes of all their samples.

use std::sync::Arc;

use block::chunk::encode_floats;
use block::{EncodedChunk, Spread};
use engine::{Grid, Queryable, Samples, Select};
use futures::executor::block_on;
use futures::stream::{BoxStream, StreamExt};
use model::{Labels, Matcher, STALE_NAN_BITS};
use proptest::prelude::*;
use request::Context;
use store::dedup::CELL_MS;
use store::testing::MemoryStore;
use store::{Endpoints, Frame, LabelsRequest, Names, Proxy, ProxyOptions, SeriesRequest, Store, StoreInfo};

use super::sparse::Work;
use super::*;
use crate::{Options, Selector};

const BLOCK_MS: i64 = 4 * CELL_MS;
const START_MS: i64 = BLOCK_MS * 236_111;
const SPAN_MS: i64 = 3 * BLOCK_MS;

/// What one replica has of one target.
#[derive(Clone, Debug)]
struct Scraped {
    interval_ms: i64,
    offset_ms: i64,
    jitter_ms: i64,
    /// From the start, and how long.
    outages: Vec<(i64, i64)>,
    markers: bool,
    /// In a chunk.
    samples: usize,
}

impl Scraped {
    /// Every 15 s, jittered by a few milliseconds, as the replicas of a fleet are scraped; ten minutes of an outage.
    fn usual(offset_ms: i64, outages: &[i64]) -> Self {
        let outages = outages.iter().map(|&from| (from, 600_000)).collect();
        Self { interval_ms: 15_000, offset_ms, jitter_ms: 4, outages, markers: false, samples: 120 }
    }

    fn columns(&self, series: i64) -> Columns {
        let mut out = Columns::default();
        let mut since = self.offset_ms;
        while since < SPAN_MS {
            let noise = ((since + series) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let is_out = |since: i64| self.outages.iter().any(|&(from, len)| (from..from + len).contains(&since));
            if !is_out(since) {
                let t = START_MS + since + noise as i64 % (2 * self.jitter_ms + 1) - self.jitter_ms;
                let ends = self.markers && is_out(since + self.interval_ms);
                out.t.push(t);
                out.v.push(if ends {
                    f64::from_bits(STALE_NAN_BITS)
                } else {
                    (since + self.offset_ms + series) as f64
                });
            }
            since += self.interval_ms;
        }
        out
    }

    /// Chunks, begun anew in each block of two hours.
    fn chunks(&self, columns: &Columns) -> Vec<EncodedChunk> {
        let mut chunks = Vec::new();
        for block in columns.t.chunk_by(|a, b| a.div_euclid(BLOCK_MS) == b.div_euclid(BLOCK_MS)) {
            let from = columns.t.partition_point(|t| *t < block[0]);
            chunks.extend(encode_floats(block, &columns.v[from..from + block.len()], self.samples));
        }
        chunks
    }
}

/// What a store tells of its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    /// How many samples they have.
    Counts,
    /// And how these are spread, as stores do that have them in files.
    Spread,
}

/// A store that knows its chunks.
#[derive(Debug)]
struct Knowing(MemoryStore, Told);

#[async_trait::async_trait]
impl Store for Knowing {
    fn info(&self) -> Arc<StoreInfo> {
        self.0.info()
    }

    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, store::Result<Frame>> {
        let told = self.1;
        let frames = self.0.series(cx, request).map(move |frame| {
            let Frame::Batch(mut batch) = frame? else { panic!("a frame without series") };
            for list in &mut batch.lists {
                let list = Arc::get_mut(list).expect("nobody else has it yet");
                for i in 0..list.chunks.len() {
                    let chunk = list.chunks[i];
                    if told == Told::Nothing {
                        continue;
                    }
                    let mut columns = Columns::default();
                    block::chunk::decode(chunk.encoding, list.payload(&chunk), &mut columns).expect("is sound");
                    list.chunks[i].samples = u16::try_from(columns.t.len()).expect("is a chunk");
                    if told == Told::Spread {
                        list.chunks[i].spread = Spread::of(&columns.t, &columns.v, chunk.range());
                    }
                }
            }
            Ok(Frame::Batch(batch))
        });
        frames.boxed()
    }

    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> store::Result<Names> {
        self.0.label_names(cx, request).await
    }

    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> store::Result<Names> {
        self.0.label_values(cx, request).await
    }
}

/// The samples of each series within a range, as `(time, bits)`.
type Found = Vec<Vec<(i64, u64)>>;

fn bits(t: &[i64], v: &[f64], range: TimeRange) -> Vec<(i64, u64)> {
    t.iter().copied().zip(v.iter().map(|v| v.to_bits())).filter(|(t, _)| range.contains(*t)).collect()
}

/// Decodes several series of the replicas in runs, and one by one; `seen` is shown what each run took.
fn decode(
    replicas: &[Scraped],
    series: i64,
    told: Told,
    range: TimeRange,
    mut seen: impl FnMut(&Sparse),
) -> [Found; 2] {
    let store = |(i, replica): (usize, &Scraped)| -> Arc<dyn Store> {
        let external = Labels::from_pairs([("replica", ["a", "b", "c"][i])]);
        let mut store = MemoryStore::new("s").extent(external, TimeRange::new(START_MS, START_MS + SPAN_MS));
        for n in 0..series {
            let (n_text, name) = (format!("{n:03}"), ["a", "b", "c"][i]);
            let labels = Labels::from_pairs([("__name__", "m"), ("n", n_text.as_str()), ("replica", name)]);
            store.add(labels, replica.chunks(&replica.columns(n)));
        }
        Arc::new(Knowing(store, told))
    };
    let stores = replicas.iter().enumerate().map(store).collect();
    let options = Options { dedup: true, replica_labels: vec!["replica".into()], ..Options::default() };
    let proxy = Proxy::new(Arc::new(Endpoints::new(stores)), ProxyOptions::default());
    let selector = Selector::new(Arc::new(proxy), options);
    let select = Select {
        matchers: vec![Matcher::equal("__name__", "m")],
        samples: range,
        grid: Grid { start_ms: range.min, end_ms: range.max, step_ms: 60_000 },
        window_ms: 0,
        offset_ms: 0,
        func: String::new(),
        grouping: None,
        skip_chunks: false,
    };
    let (mut runs, mut singly) = (Vec::new(), Vec::new());
    block_on(async {
        let mut stream = selector.select(&Context::inline(0), select);
        let (mut decoded, mut columns) = (Decoded::default(), Columns::default());
        while let Some(batch) = stream.next().await {
            let batch = batch.expect("is sound");
            let mut from = 0;
            while from < batch.len() {
                let count = batch.decode_run(from..batch.len(), &mut decoded).expect("is sound");
                SCRATCH.with_borrow(|scratch| seen(&scratch.sparse));
                for i in 0..count {
                    runs.push(match decoded.series(i) {
                        Samples::Floats(t, v) => bits(t, v, range),
                        Samples::Columns(columns) => bits(&columns.t, &columns.v, range),
                    });
                }
                from += count;
            }
            for i in 0..batch.len() {
                batch.decode(i, &mut columns).expect("is sound");
                singly.push(bits(&columns.t, &columns.v, range));
            }
        }
    });
    [runs, singly]
}

fn expected(replicas: &[Scraped], series: i64, range: TimeRange) -> Found {
    let one = |n: i64| {
        let mut out = Columns::default();
        stable(&replicas.iter().map(|replica| replica.columns(n)).collect::<Vec<_>>(), &mut out);
        bits(&out.t, &out.v, range)
    };
    (0..series).map(one).filter(|samples| !samples.is_empty()).collect()
}

#[test]
fn what_outages_take_is_foreseen() {
    // One in the middle of a cell, one over a border, one at a border; the other replica's shift its chunks.
    let outages = [CELL_MS / 3, 3 * CELL_MS - 200_000, 7 * CELL_MS];
    for offset in [1_900, 8_400, 13_000] {
        let replicas = [Scraped::usual(1_000, &outages), Scraped::usual(offset, &[5 * CELL_MS + 7, 10 * CELL_MS])];
        let range = TimeRange::new(START_MS, START_MS + SPAN_MS - 1);
        let all = expected(&replicas, 24, range);
        let (mut replaced, mut runs) = (0, 0);
        for told in [Told::Counts, Told::Spread] {
            let found = decode(&replicas, 24, told, range, |sparse| {
                runs += 1;
                replaced += sparse.work().replaced;
                assert_eq!(sparse.work(), Work { unforeseen: 0, merged: 0, copied: 0, ..sparse.work() }, "{offset}");
            });
            assert_eq!(found, [all.clone(), all.clone()]);
        }
        assert!(runs > 4 && replaced >= 2 * 24 * outages.len(), "{replaced} pieces in {runs} runs");
        // Where nobody knows how long chunks are, all others are decoded late.
        let mut unforeseen = 0;
        let found = decode(&replicas, 24, Told::Nothing, range, |sparse| unforeseen += sparse.work().unforeseen);
        assert_eq!((found, unforeseen), ([all.clone(), all], 24));
    }
}

/// Where chunks tell that the first replica is enough, nothing of the others is decoded, and of its own only what overlaps.
#[test]
fn a_replica_that_is_enough_is_decoded_alone() {
    let replicas = [Scraped::usual(1_000, &[7 * CELL_MS]), Scraped::usual(8_400, &[2 * CELL_MS, 5 * CELL_MS + 7])];
    for (from, len, alone) in [
        (CELL_MS / 2, 16_000, true),
        (CELL_MS - 300_000, 300_000, true),
        (2 * CELL_MS, 3 * CELL_MS, true),
        (6 * CELL_MS + 600_000, 800_000, true),
        (6 * CELL_MS + 600_000, 1_000_000, false),
        (7 * CELL_MS + 900_000, 16_000, false),
    ] {
        let range = TimeRange::new(START_MS + from, START_MS + from + len);
        let mut others = 0;
        let found = decode(&replicas, 3, Told::Spread, range, |sparse| others += sparse.plan.others.len());
        let all = expected(&replicas, 3, range);
        assert_eq!(others == 0, alone, "{from} {len}");
        assert_eq!(found, [all.clone(), all], "{from} {len}");
    }
}

/// Of chunks that nobody has counted some lie where the first replica has nothing.
#[test]
fn what_is_not_counted_is_not_nothing() {
    let outage = vec![(19_214_393, 2_370_608)];
    let first = Scraped { outages: outage, ..Scraped::usual(0, &[]) };
    let replicas = [first, Scraped { jitter_ms: 3_730, ..Scraped::usual(11_415, &[]) }];
    let range = TimeRange::new(START_MS + 1_496_998, START_MS + SPAN_MS + 100);
    let all = expected(&replicas, 2, range);
    assert_eq!(all[1].last().map(|sample| sample.0), Some(range.max), "alone in its cell and its chunk");
    for told in [Told::Nothing, Told::Counts, Told::Spread] {
        assert_eq!(decode(&replicas, 2, told, range, |_| {}), [all.clone(), all.clone()]);
    }
}

fn scraped() -> impl Strategy<Value = Scraped> {
    let outages = prop::collection::vec((0..SPAN_MS, 1_000..3_000_000_i64), 0..5);
    let interval = prop_oneof![4 => Just(15_000_i64), 1 => Just(30_000), 1 => Just(60_000)];
    let jitter = prop_oneof![3 => Just(4_i64), 1 => Just(0), 1 => 1..5_000_i64];
    let samples = prop_oneof![3 => Just(120_usize), 1 => 1_usize..150];
    (interval, 0..30_000_i64, jitter, outages, prop::bool::weighted(0.2), samples).prop_map(
        |(interval_ms, offset_ms, jitter_ms, outages, markers, samples)| Scraped {
            interval_ms,
            offset_ms,
            jitter_ms,
            outages,
            markers,
            samples,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn runs_of_replicas_are_what_stable_makes_of_them(
        replicas in prop::collection::vec(scraped(), 2..4),
        series in 1..9_i64,
        told in prop_oneof![Just(Told::Nothing), Just(Told::Counts), Just(Told::Spread), Just(Told::Spread)],
        window in prop_oneof![Just((0, SPAN_MS)), (0..SPAN_MS, 0..SPAN_MS), (0..SPAN_MS, 0..CELL_MS)],
    ) {
        let range = TimeRange::new(START_MS + window.0, START_MS + window.0 + window.1);
        let all = expected(&replicas, series, range);
        let [runs, singly] = decode(&replicas, series, told, range, |_| {});
        let found = |found: Found| found.into_iter().filter(|samples| !samples.is_empty()).collect::<Vec<_>>();
        prop_assert_eq!(found(runs), all.clone());
        prop_assert_eq!(found(singly), all);
    }
}
