//! Every chunk of the golden blocks: decoded, compared with what Prometheus and Thanos read from it,
//! and encoded again to the same bytes. The chunk files are read in file order, which is the order of
//! the recorded series.

use std::path::{Path, PathBuf};

use block::chunk::{
    self, Aggregates, Cursor, FloatHistogramEncoder, HistogramEncoder, Sample, SeriesEncoder, Xor2Encoder, XorEncoder,
};
use block::{Aggregate, Columns, Encoding};
use serde_json::Value;

/// In the 384 blocks of `long/bucket_raw`.
const RAW_CHUNKS: usize = 24_450;
const AGGREGATES: [(&str, Aggregate); 6] = [
    ("raw", Aggregate::Raw),
    ("count", Aggregate::Count),
    ("sum", Aggregate::Sum),
    ("min", Aggregate::Min),
    ("max", Aggregate::Max),
    ("counter", Aggregate::Counter),
];

/// Encoding and payload of each chunk of a block, in file order.
fn payloads(block: &Path) -> Vec<(Encoding, Vec<u8>)> {
    let mut out = Vec::new();
    for segment in 1.. {
        let Ok(bytes) = std::fs::read(block.join(format!("chunks/{segment:06}"))) else { return out };
        assert_eq!(bytes[..5], [0x85, 0xbd, 0x40, 0xdd, 1], "magic and version");
        let mut at = 8;
        while at < bytes.len() {
            let (mut len, mut shift) = (0usize, 0);
            loop {
                let byte = bytes[at];
                at += 1;
                len |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let entry = &bytes[at..at + 1 + len];
            let crc = u32::from_be_bytes(bytes[at + 1 + len..at + 5 + len].try_into().expect("four bytes"));
            assert_eq!(crc, crc32c::crc32c(entry));
            out.push((Encoding::from_byte(entry[0]).expect("a known encoding"), entry[1..].to_vec()));
            at += 5 + len;
        }
    }
    out
}

/// Chunks and recorded series of each block below `bucket`.
fn blocks(bucket: &Path, rows: &[Value]) -> Vec<(PathBuf, Vec<Value>)> {
    let mut out: Vec<(PathBuf, Vec<Value>)> = Vec::new();
    for row in rows {
        let dir = bucket.join(row["block"].as_str().expect("block id"));
        match out.last_mut() {
            Some((last, rows)) if *last == dir => rows.push(row.clone()),
            _ => out.push((dir, vec![row.clone()])),
        }
    }
    out
}

fn samples_crc32c(columns: &Columns) -> u32 {
    let mut crc = 0;
    for (t, v) in columns.t.iter().zip(&columns.v) {
        crc = crc32c::crc32c_append(crc, &t.to_le_bytes());
        crc = crc32c::crc32c_append(crc, &v.to_bits().to_le_bytes());
    }
    crc
}

/// Encodes the samples of a chunk again, each with the encoder of its kind.
fn encode_again(encoding: Encoding, payload: &[u8]) -> Vec<u8> {
    let mut cursor = Cursor::new(encoding, payload).expect("a header");
    let (mut xor, mut xor2) = (XorEncoder::new(), Xor2Encoder::new());
    let (mut integer, mut float) = (HistogramEncoder::new(), FloatHistogramEncoder::new());
    while cursor.advance().expect("a sample") {
        let (st, t) = (cursor.start_time(), cursor.time());
        match cursor.sample().expect("a value") {
            Sample::Float(v) if encoding == Encoding::Xor => assert!(xor.append(t, v)),
            Sample::Float(v) => assert!(xor2.append(st, t, v)),
            Sample::Histogram(h) => {
                assert_eq!(integer.append(st, t, &h), Ok(None));
                integer.set_reset_header(cursor.reset_header());
            }
            Sample::FloatHistogram(h) => {
                assert_eq!(float.append(st, t, &h), Ok(None));
                float.set_reset_header(cursor.reset_header());
            }
        }
    }
    match encoding {
        Encoding::Xor => xor.finish(),
        Encoding::Xor2 => xor2.finish_chunk().bytes,
        Encoding::Histogram => integer.finish_chunk().bytes,
        _ => float.finish_chunk().bytes,
    }
}

/// The parts of a chunk with the aggregate that each is.
fn parts(encoding: Encoding, payload: &[u8]) -> Vec<(Aggregate, Encoding, &[u8])> {
    if encoding != Encoding::Aggregates {
        return vec![(Aggregate::Raw, encoding, payload)];
    }
    let split = Aggregates::split(payload).expect("an aggregate chunk");
    let joined = chunk::aggregates::join(chunk::aggregates::ORDER.map(|a| split.get(a)));
    assert_eq!(joined, payload, "joined again");
    split.iter().collect()
}

/// Checks every chunk of every block and gives how many there were.
fn check(bucket: &Path, rows: &[Value]) -> usize {
    let mut checked = 0;
    for (dir, rows) in blocks(bucket, rows) {
        let mut chunks = payloads(&dir).into_iter();
        for row in &rows {
            let mut columns: Vec<Columns> = AGGREGATES.iter().map(|_| Columns::new()).collect();
            let mut counts = 0;
            let mut pieces = Vec::new();
            for expected in row["chunks"].as_array().expect("chunks") {
                let (encoding, payload) = chunks.next().expect("as many chunks as recorded");
                assert_eq!(Some(u64::from(crc32c::crc32c(&payload))), expected["payload_crc32c"].as_u64());
                for (aggregate, encoding, part) in parts(encoding, &payload) {
                    let i = AGGREGATES.iter().position(|a| a.1 == aggregate).expect("listed");
                    chunk::decode(encoding, part, &mut columns[i]).expect("decodes");
                    assert_eq!(encode_again(encoding, part), part, "{dir:?} {row}");
                }
                let n = chunk::sample_count(encoding, &payload).expect("a count");
                assert_eq!(Some(u64::from(n)), expected["num_samples"].as_u64());
                counts += n as usize;
                checked += 1;
                pieces.push((encoding, payload));
            }
            if row["aggregates"].is_object() {
                for ((name, _), columns) in AGGREGATES.iter().zip(&columns) {
                    let expected = &row["aggregates"][name];
                    assert_eq!(columns.t.len() as u64, expected["num_samples"].as_u64().unwrap_or(0), "{name} {row}");
                    assert_eq!(
                        columns.ht.len() as u64,
                        expected["num_histogram_samples"].as_u64().unwrap_or(0),
                        "{name} {row}"
                    );
                    let crc = expected["float_samples_crc32c"].as_u64().unwrap_or(0);
                    assert_eq!(u64::from(samples_crc32c(columns)), crc, "{name} {row}");
                    check_samples(columns, &expected["samples"]);
                }
            } else {
                assert_eq!(Some(u64::from(samples_crc32c(&columns[0]))), row["float_samples_crc32c"].as_u64(), "{row}");
                assert_eq!(Some(columns[0].ht.len() as u64), row["num_histogram_samples"].as_u64());
                let sum: f64 = columns[0].h.iter().filter(|h| !h.is_stale()).map(|h| h.count).sum();
                assert_eq!(Some(sum), row["histogram_count_sum"].as_f64(), "{row}");
                assert_eq!(columns[0].len(), counts);
                check_many(&pieces, &columns[0]);
            }
        }
        assert_eq!(chunks.next(), None, "{dir:?} has more chunks than recorded");
    }
    checked
}

/// Samples recorded as pairs; a value that JSON cannot hold is a string.
fn check_samples(columns: &Columns, expected: &Value) {
    let Some(expected) = expected.as_array() else { return };
    assert_eq!(columns.t.len(), expected.len());
    for ((t, v), pair) in columns.t.iter().zip(&columns.v).zip(expected) {
        assert_eq!(Some(*t), pair[0].as_i64());
        match pair[1].as_f64() {
            // The checksum compares bits; serde_json reads numbers to the last digit but one.
            Some(x) => assert!((v - x).abs() <= x.abs() * f64::EPSILON, "{v} {x}"),
            None => assert!(v.is_nan() || v.is_infinite(), "{pair}"),
        }
    }
}

/// All chunks of a series at once give the same as one by one.
fn check_many(pieces: &[(Encoding, Vec<u8>)], expected: &Columns) {
    let pieces: Vec<_> = pieces.iter().map(|(e, p)| (*e, &p[..])).collect();
    let mut columns = Columns::new();
    chunk::decode_many(&pieces, &mut columns).expect("decodes");
    assert_eq!(columns.t, expected.t);
    let bits = |c: &Columns| c.v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&columns), bits(expected));
    assert_eq!(columns.ht, expected.ht);
    assert_eq!(format!("{:?}", columns.h), format!("{:?}", expected.h));
}

#[test]
fn the_fleet_decodes_to_what_prometheus_reads_and_encodes_to_the_same_bytes() {
    let (Some(bucket), Some(rows)) = (golden::bucket("fleet/bucket"), golden::lines("fleet/expected.jsonl.zst")) else {
        return;
    };
    assert_eq!(check(&bucket, &rows), 12_240);
}

#[test]
fn downsampled_blocks_decode_to_what_thanos_reads_and_encode_to_the_same_bytes() {
    let (Some(bucket), Some(rows)) =
        (golden::bucket("long/bucket_downsampled"), golden::lines("long/compacted.jsonl.zst"))
    else {
        return;
    };
    assert_eq!(check(&bucket, &rows), 27_674);
    let rows = golden::lines("long/resolution_1h_samples.jsonl.zst").expect("recorded");
    assert_eq!(check(&bucket, &rows), 212);
}

#[test]
fn every_chunk_of_the_raw_blocks_encodes_to_the_same_bytes() {
    let Some(bucket) = golden::bucket("long/bucket_raw") else { return };
    let mut checked = 0;
    for dir in std::fs::read_dir(bucket).expect("a folder").flatten().map(|e| e.path()) {
        for (encoding, payload) in payloads(&dir) {
            assert_eq!(encode_again(encoding, &payload), payload, "{dir:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, RAW_CHUNKS);
}

#[test]
fn samples_of_a_series_are_cut_where_prometheus_cuts() {
    let Some(bucket) = golden::bucket("long/bucket_raw") else { return };
    let dir =
        std::fs::read_dir(bucket).expect("a folder").flatten().map(|e| e.path()).find(|p| p.join("index").exists());
    for (encoding, payload) in payloads(&dir.expect("a block")) {
        let mut encoder = SeriesEncoder::default();
        let mut cursor = Cursor::new(encoding, &payload).expect("a header");
        let mut times = Vec::new();
        while cursor.advance().expect("a sample") {
            let sample = cursor.sample().expect("a value");
            encoder.push(cursor.start_time(), cursor.time(), &sample).expect("fits");
            times.push(cursor.time());
        }
        let chunks = encoder.finish();
        let counts: u32 = chunks.iter().map(|c| chunk::sample_count(c.encoding, &c.bytes).expect("a count")).sum();
        assert_eq!(counts as usize, times.len());
        assert!(chunks.iter().all(|c| c.encoding == encoding));
        assert_eq!(chunks.first().map(|c| c.min_time), times.first().copied());
        assert_eq!(chunks.last().map(|c| c.max_time), times.last().copied());
        if times.len() <= 120 && encoding == Encoding::Xor {
            assert_eq!(chunks[0].bytes, payload);
        }
    }
}
