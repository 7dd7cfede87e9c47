//! Recorded blocks: what is read equals the record, what is written equals Prometheus' bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use block::verify::{Files, verify};
use block::{BlockMeta, BlockReader, BlockWriter, Encoding, NewChunk, SEGMENT_BYTES_MAX, SeriesEntry};
use model::Labels;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn blocks(bucket: &Path) -> Vec<PathBuf> {
    let mut blocks: Vec<_> = std::fs::read_dir(bucket)
        .expect("read the bucket")
        .map(|entry| entry.expect("read the bucket").path())
        .filter(|path| path.join("meta.json").exists())
        .collect();
    blocks.sort();
    blocks
}

fn labels_of(block: &BlockReader, entry: &SeriesEntry) -> Labels {
    let text = |reference| block.index.symbol(reference).expect("symbol");
    Labels::from_sorted(entry.labels.iter().map(|&(n, v)| (text(n), text(v))))
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Xor => "XOR",
        Encoding::Histogram => "histogram",
        Encoding::FloatHistogram => "floathistogram",
        Encoding::Aggregates => "<unknown>",
        _ => "other",
    }
}

/// Compares every series and chunk of every block with its recorded line, in order.
fn compare(bucket: &str, record: &str) {
    let (Some(bucket), Some(lines)) = (golden::bucket(bucket), golden::lines(record)) else { return };
    let mut by_block: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in &lines {
        by_block.entry(line["block"].as_str().unwrap()).or_default().push(line);
    }
    let dirs = blocks(&bucket);
    assert_eq!(dirs.len(), by_block.len());
    let mut chunks = 0;
    for dir in dirs {
        let block = BlockReader::open(&dir).unwrap();
        let expected = &by_block[block.meta.ulid.to_string().as_str()];
        let all = block.index.all_postings().unwrap();
        assert_eq!(all.len(), expected.len());
        assert_eq!(block.meta.stats.num_series, expected.len() as u64);
        let mut entry = SeriesEntry::default();
        let mut after = None;
        for (reference, line) in all.iter().zip(expected) {
            block.index.series(reference, &mut entry).unwrap();
            assert!(after.is_none_or(|after| after == Some(entry.chunks[0].chunk_ref)));
            after = Some(block.index.first_chunk_after(reference).unwrap());
            let wanted = line["labels"].as_object().unwrap().iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap()));
            assert_eq!(labels_of(&block, &entry), Labels::from_pairs(wanted));
            let wanted = line["chunks"].as_array().unwrap();
            assert_eq!(entry.chunks.len(), wanted.len());
            for (found, wanted) in entry.chunks.iter().zip(wanted) {
                let chunk = block.chunks.chunk(found.chunk_ref).unwrap();
                assert_eq!(found.min_time, wanted["min_time"].as_i64().unwrap());
                assert_eq!(found.max_time, wanted["max_time"].as_i64().unwrap());
                let encoding = wanted["encoding"].as_str().unwrap();
                assert!(
                    encoding.eq_ignore_ascii_case(encoding_name(chunk.encoding)),
                    "{encoding} {:?}",
                    chunk.encoding
                );
                assert_eq!(chunk.payload.len() as u64, wanted["payload_len"].as_u64().unwrap());
                assert_eq!(u64::from(crc32c::crc32c(chunk.payload)), wanted["payload_crc32c"].as_u64().unwrap());
                chunks += 1;
            }
        }
        assert_eq!(after, Some(None));
    }
    assert!(chunks > 1000, "only {chunks} chunks compared");
}

#[test]
fn every_chunk_of_the_fleet_is_as_recorded() {
    compare("fleet/bucket", "fleet/expected.jsonl.zst");
}

#[test]
fn every_chunk_of_the_downsampled_blocks_is_as_recorded() {
    compare("long/bucket_downsampled", "long/compacted.jsonl.zst");
}

#[test]
fn every_label_pair_leads_to_its_series() {
    let Some(bucket) = golden::bucket("fleet/bucket") else { return };
    for dir in blocks(&bucket).iter().take(3) {
        let block = BlockReader::open(dir).unwrap();
        let mut by_pair: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
        let mut entry = SeriesEntry::default();
        for reference in block.index.all_postings().unwrap().iter() {
            block.index.series(reference, &mut entry).unwrap();
            for (name, value) in &labels_of(&block, &entry) {
                by_pair.entry((name.to_owned(), value.to_owned())).or_default().push(reference);
            }
        }
        for ((name, value), series) in &by_pair {
            assert_eq!(block.index.postings(name, value).unwrap().to_vec(), *series, "{name}={value}");
        }
        let names: BTreeSet<_> = by_pair.keys().map(|(n, _)| n.as_str()).collect();
        assert_eq!(block.index.label_names().unwrap(), names.iter().copied().collect::<Vec<_>>());
        for name in names {
            let values: Vec<_> = by_pair.keys().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
            assert_eq!(block.index.label_values(name).unwrap(), values);
            assert_eq!(block.index.label_value_count(name).unwrap(), values.len());
        }
        assert!(block.index.postings("__name__", "absent").unwrap().is_empty());
        assert!(block.index.postings("absent", "up").unwrap().is_empty());
        for (i, symbol) in block.index.all_symbols().unwrap().into_iter().enumerate() {
            assert_eq!(block.index.symbol(i as u32).unwrap(), symbol);
            assert_eq!(block.index.symbol_ref(symbol).unwrap(), Some(i as u32));
        }
        assert_eq!(block.index.symbol_ref("no such symbol").unwrap(), None);
    }
}

/// Writes the merged content of blocks that do not overlap, as a compaction does.
fn merge(inputs: &[BlockReader], to: &Path, meta: BlockMeta) -> BlockMeta {
    merge_into_segments(inputs, to, meta, SEGMENT_BYTES_MAX)
}

fn merge_into_segments(inputs: &[BlockReader], to: &Path, meta: BlockMeta, segment_bytes: u64) -> BlockMeta {
    let mut symbols = BTreeSet::new();
    let mut series: BTreeMap<Labels, Vec<(i64, i64, u64, usize)>> = BTreeMap::new();
    for (i, block) in inputs.iter().enumerate() {
        symbols.extend(block.index.all_symbols().unwrap());
        let mut entry = SeriesEntry::default();
        for reference in block.index.all_postings().unwrap().iter() {
            block.index.series(reference, &mut entry).unwrap();
            let chunks = entry.chunks.iter().map(|c| (c.min_time, c.max_time, c.chunk_ref, i));
            series.entry(labels_of(block, &entry)).or_default().extend(chunks);
        }
    }
    let mut writer = BlockWriter::with_segment_size(to, symbols, segment_bytes).unwrap();
    for (labels, chunks) in &mut series {
        chunks.sort_unstable();
        let new = |&(min_time, max_time, chunk_ref, i): &(i64, i64, u64, usize)| {
            let chunk = inputs[i].chunks.chunk(chunk_ref).unwrap();
            NewChunk { min_time, max_time, encoding: chunk.encoding, payload: chunk.payload }
        };
        writer.add_series(labels.iter(), &chunks.iter().map(new).collect::<Vec<_>>()).unwrap();
    }
    writer.finish(meta).unwrap()
}

fn sha256(files: &[PathBuf]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(std::fs::read(file).unwrap());
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn merged_blocks_are_byte_identical() {
    let (Some(bucket), Some(rows)) =
        (golden::bucket("fleet/bucket"), golden::lines("fleet/compacted_plain_blocks.jsonl"))
    else {
        return;
    };
    let dirs = blocks(&bucket);
    let temporary = tempfile::tempdir().unwrap();
    for row in &rows {
        let sources = row["sources"].as_array().unwrap();
        let is_source = |dir: &&PathBuf| sources.iter().any(|s| dir.ends_with(s.as_str().unwrap()));
        let inputs: Vec<_> = dirs.iter().filter(is_source).map(|d| BlockReader::open(d).unwrap()).collect();
        assert_eq!(inputs.len(), sources.len());
        let to = temporary.path().join(row["block"].as_str().unwrap());
        let (min, max) = (row["minTime"].as_i64().unwrap(), row["maxTime"].as_i64().unwrap());
        let meta = merge(&inputs, &to, BlockMeta::new(inputs[0].meta.ulid, min, max));
        assert_eq!(serde_json::to_value(&meta.stats).unwrap(), row["stats"]);
        assert_eq!(sha256(&[to.join("index")]), row["index_sha256"].as_str().unwrap(), "index of {}", row["block"]);
        assert_eq!(sha256(&[to.join("chunks/000001")]), row["chunks_sha256"].as_str().unwrap());
        assert_eq!(BlockReader::open(&to).unwrap().meta, meta);
    }
}

#[test]
fn rewriting_a_block_gives_the_same_bytes() {
    for (bucket, count) in [("fleet/bucket", 72), ("long/bucket_raw", 384), ("long/bucket_downsampled", 24)] {
        let Some(bucket) = golden::bucket(bucket) else { return };
        let temporary = tempfile::tempdir().unwrap();
        let dirs = blocks(&bucket);
        assert_eq!(dirs.len(), count);
        for dir in &dirs {
            let block = BlockReader::open(dir).unwrap();
            let to = temporary.path().join(dir.file_name().unwrap());
            let written = merge(std::slice::from_ref(&block), &to, block.meta.clone());
            assert_eq!(sha256(&[to.join("index")]), sha256(&[dir.join("index")]));
            assert_eq!(sha256(&[to.join("chunks/000001")]), sha256(&[dir.join("chunks/000001")]));
            assert_eq!(written.stats, block.meta.stats);
            std::fs::remove_dir_all(to).unwrap();
        }
    }
}

#[test]
fn small_segment_files_hold_the_same_chunks() {
    const SEGMENT_BYTES: u64 = 16 << 10;
    let Some(bucket) = golden::bucket("fleet/bucket") else { return };
    let temporary = tempfile::tempdir().unwrap();
    let block = BlockReader::open(&blocks(&bucket)[0]).unwrap();
    let written =
        merge_into_segments(std::slice::from_ref(&block), temporary.path(), block.meta.clone(), SEGMENT_BYTES);
    assert_eq!(written.stats, block.meta.stats);
    let rewritten = BlockReader::open(temporary.path()).unwrap();
    let bytes: Vec<_> = rewritten.chunks.segments().iter().map(|s| s.len() as u64).collect();
    assert!(bytes.len() >= 5 && bytes.iter().all(|&b| b <= SEGMENT_BYTES), "{bytes:?}");
    // Only the headers of the files are more, and the next chunk of each would not have fitted.
    let chunks: u64 = bytes.iter().map(|b| b - 8).sum();
    assert_eq!(chunks, block.chunks.segments()[0].len() as u64 - 8);
    let (mut ours, mut theirs) = (SeriesEntry::default(), SeriesEntry::default());
    let series =
        rewritten.index.all_postings().unwrap().to_vec().into_iter().zip(block.index.all_postings().unwrap().iter());
    let mut last = (0, 8);
    for (a, b) in series {
        rewritten.index.series(a, &mut ours).unwrap();
        block.index.series(b, &mut theirs).unwrap();
        assert_eq!(ours.chunks.len(), theirs.chunks.len());
        for (ours, theirs) in ours.chunks.iter().zip(&theirs.chunks) {
            let (found, wanted) = (rewritten.chunks.chunk(ours.chunk_ref), block.chunks.chunk(theirs.chunk_ref));
            let (found, wanted) = (found.unwrap(), wanted.unwrap());
            assert_eq!((found.encoding, found.payload), (wanted.encoding, wanted.payload));
            if ours.segment() != last.0 {
                assert_eq!((ours.segment(), ours.offset()), (last.0 + 1, 8));
                assert!(last.1 + found.payload.len() as u64 + 10 > SEGMENT_BYTES, "cut at {last:?}");
            } else {
                assert_eq!(u64::from(ours.offset()), last.1);
            }
            last = (ours.segment(), found.end as u64);
        }
    }
    let mut files = Files::open(temporary.path()).unwrap();
    files.meta = written.to_json().into();
    let problems = verify(&files).problems;
    assert!(problems.iter().all(|p| p.file == "meta.json"), "{problems:?}");
}
