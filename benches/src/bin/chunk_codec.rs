//! Nanoseconds per sample of the chunk codecs, one core: `cargo run --release -p benches --bin
//! chunk_codec`. The best and the middle one of many short rounds, for the machine may be shared;
//! `--rounds 1 --only gauge` is for a profile.

use std::fmt;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use block::chunk::{self, Encoding, HistogramEncoder, Kernel, SeriesEncoder, Xor2Encoder};
use block::{Columns, EncodedChunk};
use clap::Parser;
use model::{Histogram, Span};

/// Chunks of one series (a day and a half of half-minutes), and how many series: they stay in the second-level cache.
const CHUNKS: usize = 46;
const SERIES: usize = 8;
const SAMPLES: usize = 120;

#[derive(Debug, Parser)]
struct Args {
    /// Many short rounds: one of them is undisturbed.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Runs the cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// Times 30 s apart with a jitter of a few milliseconds, as scrapes have it, or without.
fn times(r: &mut Random, n: usize, jitter: u64) -> Vec<i64> {
    (0..n as i64).map(|i| 1_768_435_220_000 + i * 30_000 + r.below(2 * jitter + 1) as i64).collect()
}

/// A counter that grows by whole numbers and is reset at times.
fn counter(r: &mut Random, n: usize) -> Vec<f64> {
    let mut v = r.below(100_000);
    let next = |_| {
        v = if r.below(3_000) == 0 { 0 } else { v + r.below(400) };
        v as f64
    };
    (0..n).map(next).collect()
}

/// A gauge with all digits taken.
fn gauge(r: &mut Random, n: usize) -> Vec<f64> {
    let mut v = 50.0;
    let next = |_| {
        v += (r.below(2_001) as f64 - 1_000.0) * 1e-4;
        v
    };
    (0..n).map(next).collect()
}

/// Nanoseconds a sample in the best and in the middle round.
struct Times {
    best: f64,
    median: f64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.2}/{:.2}", self.best, self.median))
    }
}

fn timed(rounds: usize, samples: usize, mut work: impl FnMut()) -> Times {
    let round = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e9 / samples as f64
    };
    let mut times: Vec<f64> = (0..rounds.max(1)).map(round).collect();
    times.sort_unstable_by(f64::total_cmp);
    Times { best: times[0], median: times[times.len() / 2] }
}

struct Case {
    name: &'static str,
    jitter: u64,
    values: fn(&mut Random, usize) -> Vec<f64>,
}

fn main() -> anyhow::Result<()> {
    let Args { rounds, only } = Args::parse();
    let cases = [
        Case { name: "jittered counter", jitter: 5, values: counter },
        Case { name: "jittered gauge", jitter: 5, values: gauge },
        Case { name: "regular counter", jitter: 0, values: counter },
        Case { name: "jittered constant", jitter: 5, values: |_, n| vec![1.0; n] },
        Case { name: "regular constant", jitter: 0, values: |_, n| vec![1.0; n] },
    ];
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:<20} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "ns/sample", "bits/sample", "scalar", "portable", "widest", "encode", "xor2"
    )?;
    let n = CHUNKS * SAMPLES;
    for case in cases.iter().filter(|case| case.name.contains(&only)) {
        let mut r = Random(0x9E37_79B9_7F4A_7C15);
        let series: Vec<_> = (0..SERIES).map(|_| (times(&mut r, n, case.jitter), (case.values)(&mut r, n))).collect();
        let chunks: Vec<Vec<EncodedChunk>> = series.iter().map(|(t, v)| chunk::encode_floats(t, v, SAMPLES)).collect();
        let total = SERIES * n;
        let bytes: usize = chunks.iter().flatten().map(|c| c.bytes.len()).sum();
        let scalar = decode(rounds, &chunks, Kernel::Scalar, total);
        let portable = decode(rounds, &chunks, Kernel::Portable, total);
        let widest = decode(rounds, &chunks, Kernel::widest(), total);
        let encode = timed(rounds, total, || {
            for (t, v) in &series {
                black_box(chunk::encode_floats(t, v, SAMPLES));
            }
        });
        let xor2: Vec<_> = series.iter().map(|(t, v)| encode_xor2(t, v)).collect();
        let xor2 = decode(rounds, &xor2, Kernel::Portable, total);
        let bits = bytes as f64 * 8.0 / total as f64;
        let name = case.name;
        writeln!(out, "{name:<20} {bits:>11.2} {scalar:>11} {portable:>11} {widest:>11} {encode:>11} {xor2:>11}")?;
    }
    writeln!(out, "widest kernel: {:?}", Kernel::widest())?;
    histograms(&mut out, rounds, &only)
}

fn decode(rounds: usize, chunks: &[Vec<EncodedChunk>], kernel: Kernel, samples: usize) -> Times {
    let series: Vec<Vec<(Encoding, &[u8])>> =
        chunks.iter().map(|s| s.iter().map(|c| (c.encoding, &c.bytes[..])).collect()).collect();
    let mut columns = Columns::new();
    timed(rounds, samples, || {
        for chunks in &series {
            columns.clear();
            chunk::decode_many_with(kernel, chunks, &mut columns).expect("sound chunks");
            black_box(&columns);
        }
    })
}

fn encode_xor2(t: &[i64], v: &[f64]) -> Vec<EncodedChunk> {
    let mut encoder = Xor2Encoder::new();
    let chunk = |(t, v): (&[i64], &[f64])| {
        for (&t, &v) in t.iter().zip(v) {
            encoder.append(0, t, v);
        }
        encoder.finish_chunk()
    };
    t.chunks(SAMPLES).zip(v.chunks(SAMPLES)).map(chunk).collect()
}

/// Histograms of 40 buckets, of which some grow from one sample to the next.
fn histograms(out: &mut impl Write, rounds: usize, only: &str) -> anyhow::Result<()> {
    const BUCKETS: usize = 40;
    const N: usize = 1_200;
    let mut r = Random(7);
    let t = times(&mut r, N, 5);
    let mut h = Histogram {
        schema: 3,
        zero_threshold: 2f64.powi(-128),
        positive_spans: [Span { offset: -4, length: 25 }, Span { offset: 3, length: 15 }].into(),
        positive_buckets: vec![0; BUCKETS],
        ..Histogram::default()
    };
    let mut samples = Vec::new();
    for t in t {
        for _ in 0..6 {
            let at = r.below(BUCKETS as u64) as usize;
            h.positive_buckets[at] += 3;
            if let Some(next) = h.positive_buckets.get_mut(at + 1) {
                *next -= 3;
            }
            h.count += 3;
            h.sum += 0.25;
        }
        samples.push((t, h.clone()));
    }
    for (float, name) in [(false, "integer histograms"), (true, "float histograms")] {
        if !name.contains(only) {
            continue;
        }
        let encode = |samples: &[(i64, Histogram)]| -> anyhow::Result<Vec<EncodedChunk>> {
            if !float {
                let mut encoder = HistogramEncoder::new();
                let mut chunks = Vec::new();
                for (t, h) in samples {
                    chunks.extend(encoder.append(0, *t, h)?);
                    if encoder.len() == SAMPLES {
                        chunks.push(encoder.finish_chunk());
                    }
                }
                return Ok(chunks);
            }
            let mut encoder = SeriesEncoder::default();
            for (t, h) in samples {
                encoder.push(0, *t, &chunk::Sample::FloatHistogram(h.to_float()))?;
            }
            Ok(encoder.finish())
        };
        let chunks = [encode(&samples)?];
        let decoded = decode(rounds, &chunks, Kernel::Portable, N);
        let encoded = timed(rounds, N, || _ = black_box(encode(&samples)));
        writeln!(out, "{name} of {BUCKETS} buckets: decode {decoded}, encode {encoded} ns/sample")?;
    }
    Ok(())
}
