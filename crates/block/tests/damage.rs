//! Damaged files: an error with its place or the undamaged answer, never a panic or an endless loop.
//!
//! `ESKER_MUTATIONS` sets how many mutations each file gets; a failure names seed and block.

use std::path::Path;

use block::index::IndexReader;
use block::{BlockMeta, ChunkReader, Corrupt, SeriesEntry};
use bytes::Bytes;
use model::{MatchOp, Matcher};

/// xorshift64*: replayable from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn mutate(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut damaged = file.to_vec();
    match random.below(6) {
        0 => damaged.truncate(random.below(file.len())),
        1 => damaged.extend((0..random.below(64)).map(|i| i as u8)),
        2 => {
            let (from, to, len) = (random.below(file.len()), random.below(file.len()), random.below(256));
            let part = file[from..file.len().min(from + len)].to_vec();
            damaged.splice(to..file.len().min(to + random.below(256)), part);
        }
        _ => {
            for _ in 0..=random.below(8) {
                let at = random.below(file.len());
                damaged[at] ^= 1 << random.below(8);
            }
        }
    }
    damaged
}

/// Recomputes the checksum of the table of contents, so that damage gets past the door.
fn seal(file: &mut [u8]) {
    if let Some(start) = file.len().checked_sub(52) {
        let crc = crc32c::crc32c(&file[start..start + 48]);
        file[start + 48..].copy_from_slice(&crc.to_be_bytes());
    }
}

fn named<T>(result: Result<T, Corrupt>, len: usize) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(e) => {
            assert!(!e.file.is_empty() && !e.what.is_empty() && e.offset <= 16 * len as u64 + (1 << 36), "{e}");
            None
        }
    }
}

fn read_index(file: Vec<u8>) {
    let len = file.len();
    let Some(index) = named(IndexReader::new(Bytes::from(file)), len) else { return };
    named(index.all_symbols(), len);
    named(index.symbol_ref("job"), len);
    for name in named(index.label_names(), len).unwrap_or_default() {
        for value in named(index.label_values(name), len).unwrap_or_default() {
            assert!(named(index.postings(name, value), len).is_none_or(|p| p.len() <= len));
        }
    }
    let mut entry = SeriesEntry::default();
    for reference in named(index.all_postings(), len).map(|p| p.to_vec()).unwrap_or_default() {
        if named(index.series(reference, &mut entry), len).is_some() {
            assert!(entry.labels.len() <= len && entry.chunks.len() <= len);
            for &(name, value) in &entry.labels {
                named(index.symbol(name), len);
                named(index.symbol(value), len);
            }
        }
    }
    for reference in [0, 1, 7, u32::MAX] {
        named(index.series(reference, &mut entry), len);
    }
    let matcher = |op, name: &str, value: &str| Matcher::new(op, name, value).unwrap();
    for matchers in [
        vec![],
        vec![matcher(MatchOp::Regex, "__name__", "http.*"), matcher(MatchOp::NotRegex, "code", "4..|2.*")],
        vec![matcher(MatchOp::NotEqual, "instance", ""), matcher(MatchOp::Equal, "pod", "")],
        vec![matcher(MatchOp::Regex, "instance", ".+2.*"), matcher(MatchOp::Regex, "job", "api|db")],
    ] {
        named(block::postings::select(&index, &matchers), len);
    }
}

fn read_chunks(file: Vec<u8>, refs: &[u64]) {
    let len = file.len();
    let Some(chunks) = named(ChunkReader::new(vec![Bytes::from(file)]), len) else { return };
    for &reference in refs.iter().chain(&[0, 8, 9, 1 << 32, u64::MAX]) {
        named(chunks.chunk(reference), len);
        named(chunks.chunk_once(reference), len);
        if let Some(chunk) = named(chunks.chunk_unchecked(reference), len) {
            assert!(chunk.payload.len() <= len);
        }
    }
}

fn mutations() -> usize {
    std::env::var("ESKER_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100)
}

fn each_block(bucket: &Path, mut each: impl FnMut(&Path, &mut Random)) {
    for (i, entry) in std::fs::read_dir(bucket).unwrap().enumerate() {
        let dir = entry.unwrap().path();
        if dir.join("meta.json").exists() {
            each(&dir, &mut Random(0x9E37_79B9_7F4A_7C15 ^ (i as u64 + 1)));
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    for bucket in ["fleet/bucket", "long/bucket_downsampled"] {
        let Some(bucket) = golden::bucket(bucket) else { return };
        each_block(&bucket, |dir, random| {
            let index = std::fs::read(dir.join("index")).unwrap();
            let refs = chunk_refs(&index);
            let chunks = std::fs::read(dir.join("chunks/000001")).unwrap();
            let meta = std::fs::read(dir.join("meta.json")).unwrap();
            for _ in 0..mutations() {
                let mut damaged = mutate(&index, random);
                if random.below(2) == 0 {
                    seal(&mut damaged);
                }
                read_index(damaged);
                read_chunks(mutate(&chunks, random), &refs);
                named(BlockMeta::parse(&mutate(&meta, random)), meta.len());
            }
        });
    }
}

#[test]
fn a_flipped_byte_of_a_chunk_is_noticed() {
    let Some(bucket) = golden::bucket("fleet/bucket") else { return };
    let mut blocks = 0;
    each_block(&bucket, |dir, random| {
        blocks += 1;
        let refs = chunk_refs(&std::fs::read(dir.join("index")).unwrap());
        let file = std::fs::read(dir.join("chunks/000001")).unwrap();
        for _ in 0..20 {
            let mut damaged = file.clone();
            let at = 8 + random.below(file.len() - 8);
            damaged[at] ^= 1 << random.below(8);
            let chunks = ChunkReader::new(vec![Bytes::from(damaged)]).unwrap();
            // The same twice: only what is intact is remembered.
            for round in 0..2 {
                let broken = refs.iter().filter(|&&r| chunks.chunk(r).is_err()).count();
                let broken_once = refs.iter().filter(|&&r| chunks.chunk_once(r).is_err()).count();
                assert_eq!((broken, broken_once), (1, 1), "byte {at} of {} in round {round}", dir.display());
            }
        }
    });
    assert!(blocks > 0);
}

fn chunk_refs(index: &[u8]) -> Vec<u64> {
    let index = IndexReader::new(Bytes::copy_from_slice(index)).unwrap();
    let mut entry = SeriesEntry::default();
    let mut refs = Vec::new();
    for reference in index.all_postings().unwrap().iter() {
        index.series(reference, &mut entry).unwrap();
        refs.extend(entry.chunks.iter().map(|c| c.chunk_ref));
    }
    refs
}
