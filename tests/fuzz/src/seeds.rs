//! The inputs to start from: small files of every kind as Esker writes them.

use std::path::Path;
use std::sync::OnceLock;

use block::chunk::{self, EncodeOptions, Sample, SeriesEncoder};
use block::meta::{File, Thanos, reason, ulid_at};
use block::{BlockMeta, BlockWriter, DeletionMark, EncodedChunk, Encoding, NewChunk, NoCompactMark, NoDownsampleMark};
use block::{Tombstones, Ulid};
use model::{FloatHistogram, Labels, STALE_NAN_BITS, Span, TimeRange};

use crate::mutate::Random;

const T0: i64 = 1_768_435_220_000;

/// A chunk of 60 jittered samples, to decode beside a damaged one.
pub fn sound_chunk() -> &'static EncodedChunk {
    static CHUNK: OnceLock<EncodedChunk> = OnceLock::new();
    CHUNK.get_or_init(|| {
        let mut r = Random(7);
        let t: Vec<i64> = (0..60).map(|i| T0 + i * 15_000 + r.below(9) as i64).collect();
        let v: Vec<f64> = (0..60).map(|i| (i * 17 + r.below(5)) as f64).collect();
        chunk::encode_floats(&t, &v, 120).remove(0)
    })
}

/// The seeds of a target: names and bytes. `scratch` is an empty folder.
///
/// # Panics
/// When `scratch` cannot be written to.
#[must_use]
pub fn generate(target: &str, scratch: &Path) -> Vec<(String, Vec<u8>)> {
    let seeds = match target {
        "chunk_xor" => payloads(Encoding::Xor),
        "chunk_xor2" => payloads(Encoding::Xor2),
        "chunk_histogram" => payloads(Encoding::Histogram),
        "chunk_histogram_st" => payloads(Encoding::HistogramSt),
        "chunk_float_histogram" => payloads(Encoding::FloatHistogram),
        "chunk_float_histogram_st" => payloads(Encoding::FloatHistogramSt),
        "chunk_aggregates" => vec![aggregates(Encoding::Xor), aggregates(Encoding::FloatHistogram)],
        "chunk_kernels" => vec![side_by_side()],
        "segment" | "index" | "index_raw" => {
            let (index, segment) = block(scratch);
            vec![if target == "segment" { segment } else { index }]
        }
        "meta" => metas(),
        "marks" => marks(),
        "tombstones" => vec![Tombstones::default().to_bytes(), tombstones().to_bytes()],
        _ => Vec::new(),
    };
    seeds.into_iter().enumerate().map(|(i, bytes)| (format!("written-{i}"), bytes)).collect()
}

/// Chunks of one encoding: plain ones, one with everything that is rare.
fn payloads(encoding: Encoding) -> Vec<Vec<u8>> {
    let chunks = [(12, false), (40, false), (60, true)].map(|(n, rare)| chunks_of(encoding, n, rare));
    // Those of the rare kind are cut often: the longest will do.
    chunks.into_iter().filter_map(|c| c.into_iter().map(|c| c.bytes).max_by_key(Vec::len)).collect()
}

fn chunks_of(encoding: Encoding, n: i64, rare: bool) -> Vec<EncodedChunk> {
    let mut r = Random(n as u64);
    let mut encoder = SeriesEncoder::new(EncodeOptions { xor2: encoding == Encoding::Xor2, ..Default::default() });
    let starts =
        matches!(encoding, Encoding::HistogramSt | Encoding::FloatHistogramSt) || encoding == Encoding::Xor2 && rare;
    let mut t = T0;
    let mut v = 10.0;
    for i in 0..n {
        t += 15_000 + if rare && i % 9 == 5 { r.below(1 << 22) as i64 } else { r.below(7) as i64 };
        v += r.below(100) as f64;
        let stale = rare && i % 20 == 19;
        let sample = match encoding {
            Encoding::Xor | Encoding::Xor2 => Sample::Float(match i % 7 {
                _ if stale => f64::from_bits(STALE_NAN_BITS),
                3 if rare => f64::from_bits(r.bits()),
                4 => v + 0.3,
                _ => v,
            }),
            _ => {
                let h = histogram(i, rare, stale);
                if matches!(encoding, Encoding::FloatHistogram | Encoding::FloatHistogramSt) {
                    Sample::FloatHistogram(h)
                } else {
                    Sample::Histogram(to_integer(&h))
                }
            }
        };
        let st = if starts { T0 - 1_000 + if rare { i / 10 * 70_000 } else { 0 } } else { 0 };
        encoder.push(st, t, &sample).expect("spans fit the buckets");
    }
    encoder.finish()
}

fn histogram(i: i64, rare: bool, stale: bool) -> FloatHistogram {
    let custom = rare && i >= 40;
    let counts = |n: usize| (0..n).map(|b| (i * (b as i64 + 1)) as f64).collect::<Vec<_>>();
    let positive: &[Span] = if custom {
        &[Span { offset: 0, length: 3 }]
    } else {
        &[Span { offset: -2, length: 3 }, Span { offset: 4, length: 2 }]
    };
    let negative: &[Span] = if custom { &[] } else { &[Span { offset: 1, length: 2 }] };
    let (p, n) = if custom { (counts(3), Vec::new()) } else { (counts(5), counts(2)) };
    FloatHistogram {
        schema: if custom { -53 } else { 3 },
        zero_threshold: if rare { 0.001 } else { 2f64.powi(-128) },
        zero_count: if custom { 0.0 } else { i as f64 },
        count: p.iter().chain(&n).sum::<f64>() + if custom { 0.0 } else { i as f64 },
        sum: if stale { f64::from_bits(STALE_NAN_BITS) } else { i as f64 * 1.25 },
        positive_spans: positive.into(),
        negative_spans: negative.into(),
        positive_buckets: p,
        negative_buckets: n,
        custom_values: if custom { [0.5, 1.0, 1e9].into() } else { [].into() },
        ..FloatHistogram::default()
    }
}

fn to_integer(h: &FloatHistogram) -> model::Histogram {
    let deltas = |counts: &[f64]| {
        let mut last = 0;
        counts.iter().map(|&c| c as i64 - std::mem::replace(&mut last, c as i64)).collect()
    };
    model::Histogram {
        counter_reset_hint: h.counter_reset_hint,
        schema: h.schema,
        zero_threshold: h.zero_threshold,
        zero_count: h.zero_count as u64,
        count: h.count as u64,
        sum: h.sum,
        positive_spans: h.positive_spans.clone(),
        negative_spans: h.negative_spans.clone(),
        positive_buckets: deltas(&h.positive_buckets),
        negative_buckets: deltas(&h.negative_buckets),
        custom_values: h.custom_values.clone(),
    }
}

fn aggregates(encoding: Encoding) -> Vec<u8> {
    let count = &chunks_of(Encoding::Xor, 5, false)[0];
    let sum = &chunks_of(encoding, 6, false)[0];
    chunk::aggregates::join_chunks(T0, T0, [Some(count), Some(sum), None, None, Some(sum)]).bytes
}

fn side_by_side() -> Vec<u8> {
    let chunks = (10..16).map(|n| chunks_of(Encoding::Xor, n, n % 2 == 0).remove(0).bytes);
    let with_length = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.insert(0, (bytes.len() / 4) as u8);
        bytes
    };
    chunks.flat_map(with_length).collect()
}

/// Index and first segment file of a block of twelve series.
fn block(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let label = |i: usize| {
        let name = ["http_requests_total", "up"][i % 2];
        let (code, instance) = (["200", "404", "500"][i % 3], format!("host-{i}"));
        Labels::from_pairs([("__name__", name), ("code", code), ("instance", &instance), ("job", "api")])
    };
    let mut series: Vec<_> = (0..12).map(label).collect();
    series.sort();
    let symbols: std::collections::BTreeSet<_> =
        series.iter().flat_map(|l| l.iter()).flat_map(|(n, v)| [n.to_owned(), v.to_owned()]).collect();
    let mut writer = BlockWriter::create(dir, symbols).expect("scratch");
    for (i, labels) in series.iter().enumerate() {
        let encoding = [Encoding::Xor, Encoding::Histogram, Encoding::Xor2][i % 3];
        let chunks = chunks_of(encoding, 4 + i as i64, false);
        let new = |c: &EncodedChunk| -> (i64, i64, Encoding, Vec<u8>) {
            (c.min_time, c.max_time, c.encoding, c.bytes.clone())
        };
        let owned: Vec<_> = chunks.iter().map(new).collect();
        let new: Vec<_> = owned
            .iter()
            .map(|(min_time, max_time, encoding, payload)| NewChunk {
                min_time: *min_time,
                max_time: *max_time,
                encoding: *encoding,
                payload,
            })
            .collect();
        writer.add_series(labels.iter(), &new).expect("scratch");
    }
    writer.finish(BlockMeta::new(id(), T0, T0 + 7_200_000)).expect("scratch");
    let read = |name: &str| std::fs::read(dir.join(name)).expect("scratch");
    (read("index"), read("chunks/000001"))
}

fn id() -> Ulid {
    ulid_at(T0, 42)
}

fn metas() -> Vec<Vec<u8>> {
    let mut meta = BlockMeta::new(id(), T0, T0 + 7_200_000);
    let plain = meta.to_json();
    meta.stats.num_samples = 16_500;
    meta.compaction.level = 2;
    meta.thanos = Some(Thanos {
        version: 1,
        labels: [("cluster", "eu"), ("replica", "a")].map(|(n, v)| (n.into(), v.into())).into(),
        source: "sidecar".into(),
        segment_files: vec!["000001".into()],
        files: vec![File { rel_path: "index".into(), size_bytes: 7_641, ..File::default() }],
        upload_time: Some("2026-11-21T07:03:19Z".into()),
        ..Thanos::default()
    });
    let mut unknown = String::from_utf8(meta.to_json()).expect("JSON is text");
    for section in ["\"stats\": {", "\"compaction\": {", "\"downsample\": {", "\"index_stats\": {", "\"thanos\": {"] {
        unknown = unknown.replace(section, &format!("{section} \"later\": [1, {{\"x\": null}}],"));
    }
    // What had no field before has a comma too many.
    vec![plain, meta.to_json(), unknown.replace("],}", "]}").into_bytes()]
}

fn marks() -> Vec<Vec<u8>> {
    vec![
        DeletionMark::new(id(), T0 / 1000, "outdated").to_json(),
        NoCompactMark::new(id(), T0 / 1000, reason::MANUAL, "asked for").to_json(),
        NoDownsampleMark::new(id(), T0 / 1000, reason::MANUAL, "").to_json(),
    ]
}

fn tombstones() -> Tombstones {
    let mut tombstones = Tombstones::default();
    for i in 0..20 {
        tombstones.add(i % 3 * 100, TimeRange::new(T0 + i as i64 * 1_000, T0 + i as i64 * 1_000 + 700));
    }
    tombstones
}
