//! Chunk payloads: every way to decode gives the same, and what was decoded can be encoded again.

use block::chunk::{
    self, Aggregates, Cursor, FloatHistogramEncoder, HistogramEncoder, Kernel, Sample, Xor2Encoder, XorEncoder,
};
use block::{Columns, Corrupt, EncodedChunk, Encoding};
use model::{CounterResetHint, FloatHistogram};

use crate::memory::bounded;
use crate::seeds;

/// The dearest sample: a histogram without buckets, of half a byte.
pub const MEMORY_FACTOR: usize = 512;

/// One sample as it was written.
struct Read {
    st: i64,
    t: i64,
    sample: Sample,
}

/// Checks a payload that is said to be of this encoding, which is not `Aggregates`.
///
/// # Panics
/// When bulk decoding, the cursor and encoding again do not agree, or memory has no bound.
pub fn check(encoding: Encoding, payload: &[u8]) {
    let mut columns = Columns::new();
    let result = bounded(payload.len(), MEMORY_FACTOR, || chunk::decode(encoding, payload, &mut columns));
    let by_cursor = read(encoding, payload);
    let samples = match (result, by_cursor) {
        (Ok(()), Ok(samples)) => samples,
        (Err(a), Err(b)) => {
            assert_eq!(a, b);
            assert!(columns.is_empty(), "something is left of a damaged chunk");
            assert!(a.offset <= payload.len() as u64, "{a}");
            return;
        }
        (bulk, cursor) => panic!("in bulk {bulk:?}, by cursor {:?}", cursor.map(|s| s.len())),
    };
    assert_eq!(columns.len(), samples.len());
    assert_eq!(chunk::sample_count(encoding, payload).map(|n| n as usize), Ok(samples.len()));
    for (i, read) in samples.iter().enumerate() {
        let start = if encoding.is_float() { columns.start(i) } else { columns.histogram_start(i) };
        assert_eq!(start, read.st);
        match &read.sample {
            Sample::Float(v) => assert_eq!((read.t, v.to_bits()), (columns.t[i], columns.v[i].to_bits())),
            Sample::Histogram(h) => check_histogram(&h.to_float(), read.t, &columns, i),
            Sample::FloatHistogram(h) => check_histogram(h, read.t, &columns, i),
        }
    }
    check_encoded_again(encoding, &samples);
    if encoding == Encoding::Xor {
        // Enough of them for the wide kernel's lanes.
        let sound = seeds::sound_chunk();
        let mut many = vec![(Encoding::Xor, payload); 6];
        many.extend(std::iter::repeat_n((Encoding::Xor, &sound.bytes[..]), 3));
        compare_kernels(&many);
    }
}

/// Checks bytes that are said to be an aggregate chunk.
///
/// # Panics
/// As [`check`], and when joining the parts gives something else.
pub fn check_aggregates(payload: &[u8]) {
    let Ok(split) = Aggregates::split(payload) else { return };
    let joined = chunk::aggregates::join(chunk::aggregates::ORDER.map(|a| split.get(a)));
    // The joined lengths are the shortest varints, those of the input need not be.
    assert!(joined.len() <= payload.len());
    assert_eq!(Aggregates::split(&joined), Ok(split));
    for (_, encoding, part) in split.iter() {
        check(encoding, part);
    }
}

/// Cuts the bytes into payloads, each behind a byte that says how long it is, and decodes them side by side.
///
/// # Panics
/// When the kernels do not agree.
pub fn check_kernels(bytes: &[u8]) {
    let sound = seeds::sound_chunk();
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while let [len, behind @ ..] = rest {
        let (payload, next) = behind.split_at(behind.len().min(4 * usize::from(*len)));
        chunks.push((Encoding::Xor, payload));
        rest = next;
    }
    // Sound ones on top fill the lanes.
    let missing = 17usize.saturating_sub(chunks.len());
    chunks.extend(std::iter::repeat_n((Encoding::Xor, &sound.bytes[..]), missing));
    compare_kernels(&chunks);
}

fn compare_kernels(chunks: &[(Encoding, &[u8])]) {
    let len = chunks.iter().map(|c| c.1.len()).sum();
    let [scalar, portable, widest] = [Kernel::Scalar, Kernel::Portable, Kernel::widest()].map(|kernel| {
        let mut columns = Columns::new();
        let decode = || chunk::decode_many_with(kernel, chunks, &mut columns);
        bounded(len, MEMORY_FACTOR, decode).map(|()| (columns.t, bits(&columns.v)))
    });
    let mut one_by_one = Columns::new();
    let alone = chunks.iter().try_for_each(|(encoding, payload)| chunk::decode(*encoding, payload, &mut one_by_one));
    assert_eq!(scalar, alone.map(|()| (one_by_one.t, bits(&one_by_one.v))));
    assert_eq!(portable, scalar);
    assert_eq!(widest, scalar);
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn read(encoding: Encoding, payload: &[u8]) -> Result<Vec<Read>, Corrupt> {
    let mut cursor = Cursor::new(encoding, payload)?;
    let mut samples = Vec::new();
    while cursor.advance()? {
        assert!(samples.len() < cursor.count(), "more steps than samples");
        samples.push(Read { st: cursor.start_time(), t: cursor.time(), sample: cursor.sample()? });
    }
    assert_eq!(cursor.advance(), Ok(false));
    Ok(samples)
}

fn check_histogram(by_cursor: &FloatHistogram, t: i64, columns: &Columns, i: usize) {
    assert_eq!(t, columns.ht[i]);
    let in_bulk = &columns.h[i];
    assert_eq!(by_cursor.counter_reset_hint, in_bulk.counter_reset_hint);
    // Reduced from a finer schema, the cursor adds integers where decoding in bulk adds floats.
    let exact = by_cursor.schema < model::histogram::EXPONENTIAL_SCHEMA_MAX;
    assert!(same(by_cursor, in_bulk, exact), "{by_cursor:?} by cursor, {in_bulk:?} in bulk");
}

/// Whether two histograms are the same but for the hint.
fn same(a: &FloatHistogram, b: &FloatHistogram, exact: bool) -> bool {
    let equal = |x: f64, y: f64| x.to_bits() == y.to_bits() || x == y;
    let lists = |x: &[f64], y: &[f64]| x.len() == y.len() && (!exact || x.iter().zip(y).all(|(x, y)| equal(*x, *y)));
    a.schema == b.schema
        && equal(a.zero_threshold, b.zero_threshold)
        && a.zero_count.to_bits() == b.zero_count.to_bits()
        && a.count.to_bits() == b.count.to_bits()
        && a.sum.to_bits() == b.sum.to_bits()
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && lists(&a.positive_buckets, &b.positive_buckets)
        && lists(&a.negative_buckets, &b.negative_buckets)
        && lists(&a.custom_values, &b.custom_values)
}

/// Encoding gives chunks with the same samples, which encode to themselves.
fn check_encoded_again(encoding: Encoding, samples: &[Read]) {
    let chunks = encode(encoding, samples);
    let again: Vec<Read> = chunks
        .iter()
        .flat_map(|chunk| {
            let samples = read(chunk.encoding, &chunk.bytes).expect("a chunk just encoded");
            let times = (samples[0].t, samples[samples.len() - 1].t);
            assert_eq!(times, (chunk.min_time, chunk.max_time));
            check_stable(chunk, &samples);
            samples
        })
        .collect();
    assert_eq!(again.len(), samples.len());
    for (a, b) in again.iter().zip(samples) {
        assert_eq!((a.st, a.t), (b.st, b.t));
        let equal = match (&a.sample, &b.sample) {
            (Sample::Float(a), Sample::Float(b)) => a.to_bits() == b.to_bits(),
            (Sample::Histogram(x), Sample::Histogram(y)) => {
                x.positive_buckets == y.positive_buckets
                    && x.negative_buckets == y.negative_buckets
                    && same(&x.to_float(), &y.to_float(), true)
            }
            (Sample::FloatHistogram(a), Sample::FloatHistogram(b)) => same_bits(a, b),
            _ => false,
        };
        assert!(equal, "{:?} became {:?}", b.sample, a.sample);
    }
}

fn same_bits(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    same(a, b, true)
        && bits(&a.positive_buckets) == bits(&b.positive_buckets)
        && bits(&a.negative_buckets) == bits(&b.negative_buckets)
}

fn check_stable(chunk: &EncodedChunk, samples: &[Read]) {
    let mut again = encode(chunk.encoding, samples);
    let is_hint = |s: &Read| match &s.sample {
        Sample::Float(_) => false,
        Sample::Histogram(h) => h.counter_reset_hint == CounterResetHint::Gauge,
        Sample::FloatHistogram(h) => h.counter_reset_hint == CounterResetHint::Gauge,
    };
    assert_eq!(again.len(), 1, "an encoder cuts its own chunk of {} samples", samples.len());
    let mut one = again.remove(0);
    if !chunk.encoding.is_float() && !samples.iter().any(is_hint) {
        // The reset header tells of the chunk before, which is not known here.
        let byte = if matches!(chunk.encoding, Encoding::Histogram | Encoding::FloatHistogram) { 2 } else { 0 };
        one.bytes[byte] = one.bytes[byte] & 0x3f | chunk.bytes[byte] & 0xc0;
    }
    assert_eq!(&one, chunk);
}

fn encode(encoding: Encoding, samples: &[Read]) -> Vec<EncodedChunk> {
    let starts = matches!(encoding, Encoding::HistogramSt | Encoding::FloatHistogramSt);
    let (mut xor, mut xor2) = (XorEncoder::new(), Xor2Encoder::new());
    let mut integer = if starts { HistogramEncoder::with_start_times() } else { HistogramEncoder::new() };
    let mut float = if starts { FloatHistogramEncoder::with_start_times() } else { FloatHistogramEncoder::new() };
    let mut chunks = Vec::new();
    for Read { st, t, sample } in samples {
        match sample {
            Sample::Float(v) if encoding == Encoding::Xor => assert!(xor.append(*t, *v)),
            Sample::Float(v) => assert!(xor2.append(*st, *t, *v)),
            Sample::Histogram(h) => chunks.extend(integer.append(*st, *t, h).expect("spans fit the buckets")),
            Sample::FloatHistogram(h) => chunks.extend(float.append(*st, *t, h).expect("spans fit the buckets")),
        }
    }
    if !samples.is_empty() {
        chunks.push(match encoding {
            Encoding::Xor => xor.finish_chunk(),
            Encoding::Xor2 => xor2.finish_chunk(),
            Encoding::Histogram | Encoding::HistogramSt => integer.finish_chunk(),
            _ => float.finish_chunk(),
        });
    }
    chunks
}
