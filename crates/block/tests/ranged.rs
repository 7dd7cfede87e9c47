//! An index read by ranges, against the same one in memory: answers, batches, damage.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use block::index::{NextChunk, RangedIndex, RangedReader, Ranges};
use block::postings::{ListsRead, Selected, select, select_within};
use block::{BlockMeta, BlockWriter, Corrupt, IndexReader, SeriesEntry, Ulid};
use bytes::Bytes;
use model::{Labels, MatchOp, Matcher};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Gives ranges of a file in memory and notes each batch.
#[derive(Debug, Default)]
struct Recording {
    file: Bytes,
    batches: RefCell<Vec<Vec<Range<u64>>>>,
}

impl Ranges for &Recording {
    type Error = Corrupt;

    fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Corrupt> {
        self.batches.borrow_mut().push(ranges.to_vec());
        ranges
            .iter()
            .map(|range| {
                assert!(range.start < range.end, "an empty range is asked for");
                let within = range.end <= self.file.len() as u64;
                within.then(|| self.file.slice(range.start as usize..range.end as usize)).ok_or_else(|| Corrupt {
                    file: "test".to_owned(),
                    offset: range.start,
                    what: "asked for past the end".to_owned(),
                })
            })
            .collect()
    }
}

impl Recording {
    fn of(file: Bytes) -> Self {
        Self { file, batches: RefCell::default() }
    }

    fn batches(&self) -> usize {
        self.batches.borrow().len()
    }

    fn open(&self) -> Arc<RangedIndex> {
        Arc::new(RangedIndex::open(&self, self.file.len() as u64).unwrap())
    }
}

fn members(selected: &Selected) -> Vec<u32> {
    (0..selected.len()).filter_map(|i| selected.get(i)).collect()
}

/// Selects and loads both ways. The batches that it took.
fn check(index: &IndexReader, ranged: &Arc<RangedIndex>, file: &Recording, matchers: &[Matcher]) -> usize {
    file.batches.borrow_mut().clear();
    let mut reader = RangedReader::new(Arc::clone(ranged), file);
    let (mut read, mut read_whole) = (ListsRead::default(), ListsRead::default());
    let found = members(&reader.select(matchers, &mut |_| true, &mut read).unwrap().unwrap());
    let whole = select_within(index, matchers, &mut |_| true, &mut read_whole).unwrap().unwrap();
    assert_eq!(found, members(&whole), "{matchers:?}");
    assert!(found.is_empty() || read.lists > 0 && read.bytes >= found.len() as u64 * 4, "{matchers:?}: {read:?}");
    assert!(found.is_empty() || read_whole.lists > 0 && read_whole.bytes >= found.len() as u64 * 4);
    reader.load(&found).unwrap();
    let batches = file.batches();
    let (mut here, mut there) = (SeriesEntry::default(), SeriesEntry::default());
    for (i, &reference) in found.iter().enumerate() {
        reader.series(reference, &mut here).unwrap();
        index.series(reference, &mut there).unwrap();
        assert_eq!(here, there);
        for &(name, value) in &here.labels {
            assert_eq!(ranged.symbol(name).unwrap(), index.symbol(name).unwrap());
            assert_eq!(ranged.symbol(value).unwrap(), index.symbol(value).unwrap());
        }
        // Where series have no chunks that walks over all that follow.
        if i > 2 && i + 1 < found.len() && here.chunks.is_empty() {
            continue;
        }
        match reader.first_chunk_after(reference).unwrap() {
            NextChunk::At(at) => assert_eq!(index.first_chunk_after(reference).unwrap(), Some(at)),
            NextChunk::End => assert_eq!(index.first_chunk_after(reference).unwrap(), None),
            NextChunk::Unread => {}
        }
    }
    assert_eq!(file.batches(), batches, "reading what is loaded asks for nothing");
    batches
}

/// A matcher from four numbers: of a label and a value that are there, or nearly.
fn matcher(index: &IndexReader, (op, name, value, form): (u8, usize, usize, u8)) -> Matcher {
    let names = index.label_names().unwrap();
    let name = names.get(name % (names.len() + 1)).copied().unwrap_or("absent");
    let values = index.label_values(name).unwrap();
    let at = |i: usize| values.get(i % (values.len() + 1)).copied().unwrap_or("");
    let text = at(value);
    let cut: String = text.chars().take(text.chars().count() / 2).collect();
    let pattern = match form % 6 {
        0 => text.to_owned(),
        1 => format!("{cut}.*"),
        2 => format!("{text}|{}|absent", at(value / 3)),
        3 => ".+".to_owned(),
        4 => format!("(.*{cut}.*)?"),
        _ => values.iter().step_by(value % 5 + 1).copied().collect::<Vec<_>>().join("|"),
    };
    let made = match op % 4 {
        0 => Matcher::new(MatchOp::Equal, name, text),
        1 => Matcher::new(MatchOp::NotEqual, name, text),
        2 => Matcher::new(MatchOp::Regex, name, &*pattern),
        _ => Matcher::new(MatchOp::NotRegex, name, &*pattern),
    };
    made.unwrap_or_else(|_| Matcher::equal(name, text))
}

fn any_matchers() -> impl Strategy<Value = Vec<(u8, usize, usize, u8)>> {
    prop::collection::vec((any::<u8>(), 0_usize..20, 0_usize..2000, any::<u8>()), 0..4)
}

fn check_any(file: Bytes, cases: u32) {
    let index = IndexReader::new(file.clone()).unwrap();
    let file = Recording::of(file);
    let ranged = file.open();
    assert!(file.batches() <= 2, "opening takes {} batches", file.batches());
    assert_eq!(ranged.label_names().unwrap(), index.label_names().unwrap());
    for name in index.label_names().unwrap() {
        assert_eq!(ranged.label_values(name).unwrap(), index.label_values(name).unwrap());
    }
    let kept = RangedIndex::from_ends(ranged.ends().clone(), ranged.file_len()).unwrap();
    let kept = Arc::new(kept);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
        .run(&any_matchers(), |numbers| {
            let matchers: Vec<Matcher> = numbers.iter().map(|&n| matcher(&index, n)).collect();
            for ranged in [&ranged, &kept] {
                let batches = check(&index, ranged, &file, &matchers);
                prop_assert!(batches <= 2, "{:?}: {} batches", matchers, batches);
            }
            Ok(())
        })
        .unwrap();
}

/// Series of `jobs` times `instances`, with a long value on some.
fn generate(dir: &Path, jobs: u32, instances: u32) -> Bytes {
    let mut series = BTreeSet::new();
    for i in 0..instances {
        for j in 0..jobs {
            let (job, instance) = (format!("job-{j}"), format!("10.0.{}.{}:9090", i / 250, i % 250));
            let mut pairs = vec![("__name__", if j % 3 == 0 { "up" } else { "scrapes" }), ("job", &*job)];
            pairs.push(("instance", &*instance));
            if i % 7 == 1 {
                pairs.push(("zone", if j % 2 == 0 { "a" } else { "b" }));
            }
            series.insert(Labels::from_pairs(pairs));
        }
    }
    let symbols: BTreeSet<&str> = series.iter().flat_map(|l| l.iter().flat_map(|(n, v)| [n, v])).collect();
    let mut writer = BlockWriter::create(dir, symbols).unwrap();
    for labels in &series {
        writer.add_series(labels, &[]).unwrap();
    }
    writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1)).unwrap();
    std::fs::read(dir.join("index")).unwrap().into()
}

#[test]
fn any_matchers_select_what_they_select_in_memory() {
    for (jobs, instances, cases) in [(1, 1, 16), (7, 40, 60), (12, 300, 20)] {
        let dir = tempfile::tempdir().unwrap();
        check_any(generate(dir.path(), jobs, instances), cases);
    }
}

#[test]
fn recorded_blocks_read_the_same() {
    for (corpus, step) in [("fleet/bucket", 5), ("long/bucket_raw", 4), ("long/bucket_downsampled", 4)] {
        let Some(bucket) = golden::bucket(corpus) else { return };
        let mut blocks: Vec<_> = std::fs::read_dir(bucket).unwrap().map(|e| e.unwrap().path().join("index")).collect();
        blocks.retain(|index| index.exists());
        blocks.sort();
        assert!(!blocks.is_empty());
        for index in blocks.iter().step_by(step).take(10) {
            check_any(std::fs::read(index).unwrap().into(), 20);
        }
    }
}

#[test]
fn one_metric_of_a_large_index_takes_its_lists_and_its_series() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = generate(dir.path(), 12, 1000);
    let index = IndexReader::new(bytes.clone()).unwrap();
    let file = Recording::of(bytes);
    let ranged = file.open();
    let batches = check(&index, &ranged, &file, &[Matcher::equal("__name__", "up"), Matcher::equal("zone", "a")]);
    assert_eq!(batches, 2);
    assert_eq!(file.batches.borrow()[0].len(), 2, "two lists");
    // A list too long for a few series is left to their labels, and not read.
    let few = [Matcher::equal("instance", "10.0.0.1:9090"), Matcher::new(MatchOp::Regex, "job", "job-.*").unwrap()];
    assert_eq!(check(&index, &ranged, &file, &few), 2);
    assert_eq!(file.batches.borrow()[0].len(), 1, "one list");
    assert_eq!(check(&index, &ranged, &file, &[Matcher::equal("job", "absent")]), 0);
    assert!(ranged.ends().len() * 4 < file.file.len(), "{} of {}", ranged.ends().len(), file.file.len());
    // What may not be held is not selected.
    let mut reader = RangedReader::new(Arc::clone(&ranged), &file);
    let all = Matcher::new(MatchOp::Regex, "job", "job-[1-9]").unwrap();
    assert!(reader.select(&[all], &mut |_| false, &mut ListsRead::default()).unwrap().is_none());
}

#[test]
fn a_series_that_is_longer_than_others_takes_one_batch_more() {
    let dir = tempfile::tempdir().unwrap();
    let many: Vec<(String, String)> = (0..6000).map(|i| (format!("l{i:04}"), "v".to_owned())).collect();
    let mut series = BTreeSet::from([Labels::from_pairs(many.iter().map(|(n, v)| (n.as_str(), v.as_str())))]);
    let small: Vec<String> = (0..3000).map(|i| format!("{i:04}")).collect();
    series.extend(small.iter().map(|i| Labels::from_pairs([("i", &**i), ("l0000", "v")])));
    let symbols: BTreeSet<&str> = series.iter().flat_map(|l| l.iter().flat_map(|(n, v)| [n, v])).collect();
    let mut writer = BlockWriter::create(dir.path(), symbols).unwrap();
    for labels in &series {
        writer.add_series(labels, &[]).unwrap();
    }
    writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1)).unwrap();
    let bytes: Bytes = std::fs::read(dir.path().join("index")).unwrap().into();
    let (index, file) = (IndexReader::new(bytes.clone()).unwrap(), Recording::of(bytes));
    let ranged = file.open();
    assert_eq!(check(&index, &ranged, &file, &[Matcher::equal("l0001", "v")]), 3);
    assert_eq!(check(&index, &ranged, &file, &[Matcher::equal("i", "0042")]), 2);
}

#[test]
fn damage_gives_errors_and_never_other_answers() {
    let dir = tempfile::tempdir().unwrap();
    let sound = generate(dir.path(), 3, 20);
    let index = IndexReader::new(sound.clone()).unwrap();
    let matchers = [
        Matcher::new(MatchOp::Regex, "instance", "10.0.0.[1-4].*").unwrap(),
        Matcher::new(MatchOp::NotEqual, "zone", "a").unwrap(),
    ];
    let expected = select(&index, &matchers).unwrap();
    // What can be seen of damage: an error, or it lies in what is not read.
    let read = |bytes: Vec<u8>| -> Result<Vec<u32>, Corrupt> {
        let file = Recording::of(bytes.into());
        let ranged = Arc::new(RangedIndex::open(&&file, file.file.len() as u64)?);
        let mut reader = RangedReader::new(Arc::clone(&ranged), &file);
        let found = members(&reader.select(&matchers, &mut |_| true, &mut ListsRead::default())?.unwrap());
        reader.load(&found)?;
        let mut entry = SeriesEntry::default();
        for &reference in &found {
            reader.series(reference, &mut entry)?;
            reader.first_chunk_after(reference)?;
            for &(name, value) in &entry.labels {
                ranged.symbol(name)?;
                ranged.symbol(value)?;
            }
        }
        Ok(found)
    };
    let mut errors = 0;
    for at in (0..sound.len()).step_by(3) {
        let mut damaged = sound.to_vec();
        damaged[at] ^= 1 << (at % 8);
        match read(damaged) {
            Ok(found) => assert_eq!(found, expected, "byte {at}"),
            Err(e) => {
                assert!(e.file == "index" && e.offset <= sound.len() as u64 && !e.what.is_empty(), "byte {at}: {e:?}");
                errors += 1;
            }
        }
    }
    assert!(errors > sound.len() / 12, "{errors} of {}", sound.len());
    for len in (0..sound.len()).step_by(37) {
        assert!(read(sound[..len].to_vec()).is_err(), "cut at {len}");
    }
    let ends = Recording::of(sound.clone()).open().ends().clone();
    assert!(RangedIndex::from_ends(ends.clone(), sound.len() as u64 + 1).is_err());
    assert!(RangedIndex::from_ends(ends.slice(..ends.len() - 1), sound.len() as u64).is_err());
}
