//! Damaged golden blocks: an error with its place or the undamaged answer, never a panic, an endless loop
//! or more memory than the file's size accounts for.
//!
//! `ESKER_MUTATIONS` sets how many mutations each file of each block gets (100). Steps are counted, not
//! timed: no reader goes on for more samples, series or values than the file has room for.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use block::segment::segment_name;
use block::spread::SpreadUse;
use block::verify::{Files, verify};
use block::{BlockMeta, ChunkReader, Columns, Encoding, IndexReader, SeriesEntry, Tombstones, chunk};
use bytes::Bytes;
use fuzz::memory::{bounded, peak};
use fuzz::mutate::{Damage, Random, mutate};
use fuzz::{index, meta, named, segment, tombstones};
use model::TimeRange;

/// Of the chunks that a mutation leaves alone, so many are read again; of those that it hits, so many are
/// decoded in spite of it.
const CHUNKS_READ: usize = 8;
const CHUNKS_DECODED: usize = 64;
/// So many files with chunks in places of others are verified.
const CHUNKS_MOVED: usize = 3;

fn mutations() -> usize {
    std::env::var("ESKER_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100)
}

/// What came of the mutations of one kind of file.
#[derive(Default)]
struct Tally {
    mutations: usize,
    /// An error told of them.
    noticed: usize,
    /// The most memory per byte of a file.
    memory: f64,
}

impl Tally {
    fn add(&mut self, noticed: bool, memory: usize, len: usize) {
        self.mutations += 1;
        self.noticed += usize::from(noticed);
        self.memory = self.memory.max(memory as f64 / len.max(1024) as f64);
    }

    fn report(&self, bucket: &str, file: &str) {
        let Self { mutations, noticed, memory } = self;
        let line = format!(
            "{bucket} {file}: {mutations} mutations, {noticed} noticed, memory at most {memory:.1} times the file's size"
        );
        writeln!(std::io::stderr(), "{line}").expect("standard error");
    }
}

fn blocks(bucket: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(bucket).expect("read the bucket").map(|entry| entry.expect("read the bucket").path());
    let mut blocks: Vec<_> = entries.filter(|path| path.join("meta.json").exists()).collect();
    blocks.sort();
    blocks
}

fn damage(archive: &str) {
    let Some(bucket) = golden::bucket(archive) else { return };
    let (mut indices, mut segments, mut metas, mut deletions) = Default::default();
    for (i, dir) in blocks(&bucket).iter().enumerate() {
        let random = |file: u64| Random(0x9E37_79B9_7F4A_7C15 ^ (i as u64) << 8 ^ (file + 1));
        let files = Files::open(dir).expect("the files of a block");
        let index = &files.index;
        damage_index(&files, random(0), &mut indices);
        damage_segment(&files, random(1), &mut segments);
        damage_by(&files.meta, random(2), &mut metas, |file| {
            meta::check(file);
            BlockMeta::parse(file).is_err()
        });
        // Golden blocks have none: one that deletes from every series of this one.
        damage_by(&some_tombstones(index), random(3), &mut deletions, |file| {
            tombstones::check_sealed(file);
            assert!(Tombstones::parse(file).is_err(), "damage is not noticed");
            true
        });
    }
    indices.report(archive, "index");
    segments.report(archive, "chunks/000001");
    metas.report(archive, "meta.json");
    deletions.report(archive, "tombstones");
}

fn damage_index(files: &Files, mut random: Random, tally: &mut Tally) {
    let file = &files.index;
    let sound = index::read(file.clone()).expect("a golden index is sound");
    let mut mutant = Vec::new();
    for _ in 0..mutations() {
        let damage = mutate(file, &mut random, &mut mutant);
        // Half of them with checksums that are right again.
        let sealed = random.below(2) == 0;
        if sealed {
            index::seal(&mut mutant);
        }
        let bytes = Bytes::copy_from_slice(&mutant);
        let (content, memory) = peak(|| index::read(bytes));
        assert!(memory <= index::MEMORY_FACTOR * mutant.len().max(1024), "{memory} bytes for {}", mutant.len());
        tally.add(content.is_none(), memory, mutant.len());
        if !sealed && content.is_some_and(|content| content != sound) {
            // A splice can move an intact list to where another began: only what belongs together tells.
            assert_eq!(damage, Damage::Spliced, "damage is not noticed");
            let found = verify(&Files { index: Bytes::copy_from_slice(&mutant), ..files.clone() });
            assert!(!found.is_sound(), "damage is not noticed");
        }
    }
}

fn damage_segment(files: &Files, mut random: Random, tally: &mut Tally) {
    let name = segment_name(0);
    let [file] = &files.segments[..] else { panic!("one segment file is all that golden blocks have") };
    let frames = frames(&files.index, file.len());
    let mut verified = 0;
    let intact: HashSet<&[u8]> = frames.iter().map(|&(start, end)| &file[start..end]).collect();
    let mut mutant = Vec::new();
    for _ in 0..mutations() {
        let damage = mutate(file, &mut random, &mut mutant);
        let bytes = Bytes::copy_from_slice(&mutant);
        let (reader, memory) = peak(|| named(ChunkReader::new(vec![bytes]), &name, mutant.len()));
        let Some(reader) = reader else {
            tally.add(true, memory, mutant.len());
            continue;
        };
        let mut most = memory;
        let mut hit = 0;
        let mut moved = false;
        for (start, end) in &frames {
            let reference = *start as u64;
            if mutant.get(*start..*end) == Some(&file[*start..*end]) {
                if random.below(frames.len()) < CHUNKS_READ {
                    assert!(reader.chunk(reference).is_ok(), "an intact chunk at {start} is refused");
                }
                continue;
            }
            let far = mutant.len().max(*start);
            hit += 1;
            if let Some(chunk) = named(reader.chunk(reference), &name, far) {
                // A splice can move an intact chunk to where another began, too.
                moved = damage == Damage::Spliced && intact.contains(&mutant[*start..chunk.end]);
                assert!(moved, "damage of the chunk at {start} is not noticed");
                continue;
            }
            assert!(reader.chunk_once(reference, TimeRange::ALL, SpreadUse::All).is_err());
            if hit <= CHUNKS_DECODED
                && let Some(chunk) = named(reader.chunk_unchecked(reference), &name, far)
            {
                most = most.max(decode(chunk.encoding, chunk.payload));
            }
        }
        if moved && verified < CHUNKS_MOVED {
            verified += 1;
            let segments = vec![Bytes::copy_from_slice(&mutant)];
            assert!(!verify(&Files { segments, ..files.clone() }).is_sound(), "damage is not noticed");
        }
        // What is behind the last chunk is no chunk's.
        assert!(hit > 0 || damage == Damage::Extended || mutant[..8] != file[..8], "{damage:?} hit nothing");
        tally.add(hit > 0, most, mutant.len());
    }
    segment::check(&mutant);
}

/// Decodes a payload whose checksum may be wrong; gives the memory that it took.
fn decode(encoding: Encoding, payload: &[u8]) -> usize {
    let parts = match encoding {
        Encoding::Aggregates => {
            chunk::Aggregates::split(payload).map(|a| a.iter().map(|(_, e, p)| (e, p)).collect()).unwrap_or_default()
        }
        _ => vec![(encoding, payload)],
    };
    let mut most = 0;
    for (encoding, payload) in parts {
        let mut columns = Columns::new();
        let work =
            || bounded(payload.len(), fuzz::chunk::MEMORY_FACTOR, || chunk::decode(encoding, payload, &mut columns));
        let (result, memory) = peak(work);
        assert!(columns.len() <= payload.len() * 8);
        assert!(result.is_ok() || columns.is_empty());
        most = most.max(memory);
    }
    most
}

fn damage_by(file: &[u8], mut random: Random, tally: &mut Tally, is_noticed: fn(&[u8]) -> bool) {
    let mut mutant = Vec::new();
    for _ in 0..mutations() {
        mutate(file, &mut random, &mut mutant);
        let (noticed, memory) = peak(|| is_noticed(&mutant));
        tally.add(noticed, memory, mutant.len());
    }
}

/// Where each chunk begins and ends.
fn frames(index: &[u8], len: usize) -> Vec<(usize, usize)> {
    let mut starts: Vec<usize> = Vec::new();
    each_series(index, |_, entry| starts.extend(entry.chunks.iter().map(|c| c.offset() as usize)));
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([len]);
    starts.iter().copied().zip(ends).collect()
}

fn some_tombstones(index: &[u8]) -> Vec<u8> {
    let mut tombstones = Tombstones::default();
    each_series(index, |reference, entry| {
        for chunk in entry.chunks.iter().step_by(2).take(4) {
            tombstones.add(reference.into(), chunk.range());
        }
    });
    tombstones.to_bytes()
}

fn each_series(index: &[u8], mut each: impl FnMut(u32, &SeriesEntry)) {
    let index = IndexReader::new(Bytes::copy_from_slice(index)).expect("sound");
    let mut entry = SeriesEntry::default();
    for reference in index.all_postings().expect("sound").iter() {
        index.series(reference, &mut entry).expect("sound");
        each(reference, &entry);
    }
}

#[test]
fn damage_to_the_fleet_is_noticed() {
    damage("fleet/bucket");
}

#[test]
fn damage_to_long_raw_blocks_is_noticed() {
    damage("long/bucket_raw");
}

#[test]
fn damage_to_downsampled_blocks_is_noticed() {
    damage("long/bucket_downsampled");
}
