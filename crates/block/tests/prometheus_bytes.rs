//! Chunks as Prometheus writes them: pseudo-random samples, histograms whose layouts change, resets,
//! staleness markers and start timestamps.
//!
//! The text that this makes (samples, then the chunks' bytes) was replayed through `tsdb/chunkenc` of
//! Prometheus main (2026-08), which made the same bytes of all chunks; its checksum is recorded here.
//! `ESKER_CHUNK_CASES=FILE` writes it out for another replay.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use block::EncodedChunk;
use block::chunk::{Cursor, FloatHistogramEncoder, HistogramEncoder, Xor2Encoder};
use model::{CounterResetHint, FloatHistogram, Histogram, STALE_NAN_BITS, Span};

const CASES: usize = 300;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<_> = items.map(|x| x.to_string()).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(",") }
}

fn bits(values: &[f64]) -> String {
    list(values.iter().map(|v| format!("{:x}", v.to_bits())))
}

fn spans_text(spans: &[Span]) -> String {
    list(spans.iter().flat_map(|s| [i64::from(s.offset), i64::from(s.length)]))
}

/// Writes the chunks down, and reads start and time of all samples back from them.
fn end(text: &mut String, chunks: &[EncodedChunk], times: &[(i64, i64)]) {
    let mut read = Vec::new();
    for chunk in chunks {
        let mut cursor = Cursor::new(chunk.encoding, &chunk.bytes).expect("a header");
        while cursor.advance().expect("a sample") {
            read.push((cursor.start_time(), cursor.time()));
        }
    }
    assert_eq!(read, times);
    text.push_str("end");
    for chunk in chunks {
        text.push(' ');
        for byte in &chunk.bytes {
            write!(text, "{byte:02x}").expect("a string");
        }
    }
    text.push('\n');
}

fn floats(r: &mut Random, text: &mut String) {
    let starts = !r.one_in(3);
    text.push_str("new 4\n");
    let mut encoder = Xor2Encoder::new();
    let (mut t, mut delta, mut v) = (1_700_000_000_000i64, 15_000i64, 0f64);
    let mut st = if starts && r.one_in(2) { t - 5 } else { 0 };
    let mut times = Vec::new();
    for _ in 0..r.below(200) {
        let edge = r.below(4) as i64;
        delta = match r.below(12) {
            0 => delta + 4_095 + edge,
            1 => delta - 4_095 - edge,
            2 => delta + 524_286 + edge,
            3 => delta - 524_286 - edge,
            4 => r.next() as i64 >> 3,
            5 => 15_000 + r.below(9) as i64,
            _ => delta,
        };
        t = t.wrapping_add(delta);
        v = match r.below(9) {
            0 => f64::from_bits(STALE_NAN_BITS),
            1 => f64::from_bits(r.next()),
            2 => r.below(1_000) as f64,
            3 => v + 1.0,
            4 => f64::NAN,
            _ => v,
        };
        if starts {
            st = next_start(r, st, t);
        }
        writeln!(text, "f {st} {t} {:x}", v.to_bits()).expect("a string");
        assert!(encoder.append(st, t, v));
        times.push((st, t));
    }
    end(text, &[encoder.finish_chunk()], &times);
}

fn next_start(r: &mut Random, st: i64, t: i64) -> i64 {
    match r.below(20) {
        0 => t.wrapping_sub(r.below(600) as i64),
        1 => 0,
        2 => st.wrapping_add(r.below(70) as i64),
        _ => st,
    }
}

type Counts = BTreeMap<i32, i64>;

/// Lets buckets grow, come up, go and, for gauges, shrink.
fn grow(r: &mut Random, counts: &mut Counts, gauge: bool) {
    for _ in 0..r.below(4) {
        *counts.entry(r.below(20) as i32 - 8).or_default() += r.below(50) as i64;
    }
    if r.one_in(12) {
        counts.entry(r.below(30) as i32 - 14).or_default();
    }
    if r.one_in(12) {
        counts.retain(|_, n| *n != 0);
    }
    if r.one_in(40) {
        counts.clear();
    }
    if gauge && r.one_in(5) {
        counts.remove(&(r.below(20) as i32 - 8));
    }
    if gauge
        && r.one_in(5)
        && let Some(n) = counts.values_mut().next()
    {
        *n = n.saturating_sub(5);
    }
}

/// Spans of the buckets, at times more than needed or empty ones.
fn spans(r: &mut Random, counts: &Counts) -> Arc<[Span]> {
    let mut spans = Vec::<Span>::new();
    let mut next = 0;
    for &index in counts.keys() {
        match spans.last_mut() {
            Some(span) if index == next && !r.one_in(30) => span.length += 1,
            _ => {
                if r.one_in(30) {
                    let offset = (index - next).min(1);
                    spans.push(Span { offset, length: 0 });
                    next += offset;
                }
                spans.push(Span { offset: index - next, length: 1 });
            }
        }
        next = index + 1;
    }
    if r.one_in(40) {
        spans.push(Span { offset: 2, length: 0 });
    }
    spans.into()
}

fn deltas(counts: &[f64]) -> Vec<i64> {
    let mut last = 0;
    let delta = |v: &f64| *v as i64 - std::mem::replace(&mut last, *v as i64);
    counts.iter().map(delta).collect()
}

/// What changes from sample to sample of a histogram series.
struct Series {
    schema: i32,
    zero_threshold: f64,
    custom: Vec<f64>,
    counts: [Counts; 2],
    gauge: bool,
}

impl Series {
    fn next(&mut self, r: &mut Random, zero_count: u64) -> FloatHistogram {
        if r.one_in(25) {
            self.schema = [3, 0, 8, -4, -53][r.below(5) as usize];
            self.custom.clear();
            if self.schema == -53 {
                let bound = |i: u64| i as f64 * 1.5 + r.below(3) as f64 * 0.0001 - 1.0;
                self.custom = (0..4).map(bound).chain([1e9, f64::INFINITY]).collect();
            }
        }
        if r.one_in(40) {
            let powers = [2f64.powi(10), 2f64.powi(11), 2f64.powi(-243), 2f64.powi(-244)];
            let all = [0.0, 0.001, 1.0, 1e-310].into_iter().chain(powers);
            self.zero_threshold = all.collect::<Vec<_>>()[r.below(8) as usize];
        }
        for counts in &mut self.counts {
            grow(r, counts, self.gauge);
        }
        let [positive, negative] = &self.counts;
        let values = |counts: &Counts| counts.values().map(|&n| n as f64).collect::<Vec<_>>();
        let (negative_spans, negative_buckets) =
            if self.schema == -53 { Default::default() } else { (spans(r, negative), values(negative)) };
        let positive_buckets = values(positive);
        let count = positive_buckets.iter().chain(&negative_buckets).sum::<f64>() + zero_count as f64;
        FloatHistogram {
            counter_reset_hint: match r.below(40) {
                0 => CounterResetHint::CounterReset,
                1 => CounterResetHint::NotCounterReset,
                2 => CounterResetHint::Gauge,
                _ if self.gauge => CounterResetHint::Gauge,
                _ => CounterResetHint::Unknown,
            },
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: zero_count as f64,
            count,
            sum: if r.one_in(25) { f64::from_bits(STALE_NAN_BITS) } else { count * 1.37 },
            positive_spans: spans(r, positive),
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: self.custom.clone().into(),
        }
    }
}

fn integer(h: &FloatHistogram) -> Histogram {
    Histogram {
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

fn histograms(r: &mut Random, text: &mut String, float: bool) {
    let starts = r.one_in(2);
    writeln!(text, "new {}", 2 + usize::from(float) + 3 * usize::from(starts)).expect("a string");
    let mut integers = if starts { HistogramEncoder::with_start_times() } else { HistogramEncoder::new() };
    let mut decimals = if starts { FloatHistogramEncoder::with_start_times() } else { FloatHistogramEncoder::new() };
    let (mut t, mut st) = (1_700_000_000_000i64, 0i64);
    let mut series = Series {
        schema: 3,
        zero_threshold: 2f64.powi(-128),
        custom: Vec::new(),
        counts: Default::default(),
        gauge: r.one_in(4),
    };
    let (mut chunks, mut times) = (Vec::new(), Vec::new());
    for i in 0..1 + r.below(60) {
        t += if r.one_in(3) { r.below(100_000) as i64 } else { 15_000 };
        if starts {
            st = next_start(r, st, t);
        }
        let mut h = series.next(r, i / 7);
        let hint = h.counter_reset_hint as u8;
        let [threshold, sum] = [h.zero_threshold, h.sum].map(f64::to_bits);
        let layout = format!("{} {}", spans_text(&h.positive_spans), spans_text(&h.negative_spans));
        let custom = bits(&h.custom_values);
        let cut = if float {
            h.count += if r.one_in(2) { 0.25 } else { 0.0 };
            let [zeros, count] = [h.zero_count, h.count].map(f64::to_bits);
            write!(text, "g {st} {t} {hint} {} {threshold:x} {zeros:x} {count:x} {sum:x} {layout} ", h.schema)
                .expect("a string");
            writeln!(text, "{} {} {custom}", bits(&h.positive_buckets), bits(&h.negative_buckets)).expect("a string");
            decimals.append(st, t, &h)
        } else {
            let h = integer(&h);
            let buckets = format!("{} {}", list(h.positive_buckets.iter()), list(h.negative_buckets.iter()));
            write!(text, "h {st} {t} {hint} {} {threshold:x} {} {} {sum:x} ", h.schema, h.zero_count, h.count)
                .expect("a string");
            writeln!(text, "{layout} {buckets} {custom}").expect("a string");
            integers.append(st, t, &h)
        };
        chunks.extend(cut.expect("spans fit the buckets"));
        times.push((st, t));
    }
    chunks.push(if float { decimals.finish_chunk() } else { integers.finish_chunk() });
    end(text, &chunks, &times);
}

#[test]
fn encoders_write_the_bytes_that_prometheus_writes() {
    let mut r = Random(0x0123_4567);
    let mut text = String::new();
    for _ in 0..CASES {
        floats(&mut r, &mut text);
        histograms(&mut r, &mut text, false);
        histograms(&mut r, &mut text, true);
    }
    if let Some(file) = std::env::var_os("ESKER_CHUNK_CASES") {
        std::fs::write(file, &text).expect("write the cases");
    }
    assert_eq!(crc32c::crc32c(text.as_bytes()), 3_538_822_869);
}
