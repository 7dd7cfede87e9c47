use std::path::Path;

use model::Labels;

use super::*;
use crate::index::INDEX_FILE;
use crate::{BlockMeta, BlockWriter, IndexReader, Ulid};

/// An index of many values, some of them long.
fn write(dir: &Path, offset: u32) {
    let series: Vec<Labels> = (0..3000_u32)
        .map(|i| {
            let (i, j) = (format!("{:05}", i + offset), format!("{}-{}", "x".repeat(i as usize % 300), i % 7));
            Labels::from_pairs([("__name__", "m"), ("i", &*i), ("j", &*j)])
        })
        .collect();
    let symbols: std::collections::BTreeSet<&str> =
        series.iter().flat_map(|l| l.iter().flat_map(|(n, v)| [n, v])).collect();
    let mut writer = BlockWriter::create(dir, symbols).unwrap();
    for labels in &series {
        writer.add_series(labels, &[]).unwrap();
    }
    writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1)).unwrap();
}

/// Everything that an index says about labels.
fn contents(index: &IndexReader) -> Vec<String> {
    let mut all: Vec<String> = index.all_symbols().unwrap().into_iter().map(str::to_owned).collect();
    for name in index.label_names().unwrap() {
        for value in index.label_values(name).unwrap() {
            let list = index.postings(name, value).unwrap().to_vec();
            let symbol = index.symbol_ref(value).unwrap().unwrap();
            assert_eq!(index.symbol(symbol).unwrap(), value);
            all.push(format!("{name} {value} {symbol} {list:?}"));
        }
        assert!(index.postings(name, "absent").unwrap().is_empty());
    }
    assert_eq!(index.symbol_ref("absent").unwrap(), None);
    all
}

fn with_header(dir: &Path) -> IndexReader {
    IndexReader::open(&dir.join(INDEX_FILE)).unwrap().with_sparse_header(dir.join(SPARSE_FILE))
}

#[test]
fn a_first_reader_leaves_a_header_and_later_ones_use_it() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0);
    let plain = IndexReader::open(&dir.path().join(INDEX_FILE)).unwrap();
    assert_eq!(contents(&with_header(dir.path())), contents(&plain));
    let header = map(dir.path());
    assert!(header.len() * 20 < plain.bytes().len(), "{} of {}", header.len(), plain.bytes().len());
    assert!(decode(&header, plain.bytes(), plain.toc()).is_some());
    assert_eq!(contents(&with_header(dir.path())), contents(&plain));
    let names = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    assert_eq!(names, ["chunks", "index", "index.sparse", "meta.json"]);
}

fn map(dir: &Path) -> Bytes {
    std::fs::read(dir.join(SPARSE_FILE)).unwrap().into()
}

#[test]
fn a_header_that_is_damaged_or_of_another_index_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0);
    let expected = contents(&with_header(dir.path()));
    let sound = map(dir.path());
    let index = IndexReader::open(&dir.path().join(INDEX_FILE)).unwrap();
    for at in (0..sound.len()).step_by(37).chain([sound.len() - 1]) {
        let mut damaged = sound.to_vec();
        damaged[at] ^= 0x10;
        assert!(decode(&damaged.into(), index.bytes(), index.toc()).is_none(), "byte {at}");
        assert!(decode(&sound.slice(..at), index.bytes(), index.toc()).is_none(), "cut at {at}");
    }
    for content in [&b""[..], b"nonsense", &sound[..sound.len() / 2]] {
        std::fs::write(dir.path().join(SPARSE_FILE), content).unwrap();
        assert_eq!(contents(&with_header(dir.path())), expected);
        assert_eq!(map(dir.path()), sound);
    }
    // Of the same length, with other values.
    write(dir.path(), 1);
    let other = contents(&with_header(dir.path()));
    assert!(other != expected && map(dir.path()) != sound);
    assert_eq!(other, contents(&IndexReader::open(&dir.path().join(INDEX_FILE)).unwrap()));
}

#[test]
fn what_the_header_describes_is_verified_where_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0);
    contents(&with_header(dir.path()));
    let sound = std::fs::read(dir.path().join(INDEX_FILE)).unwrap();
    let toc = IndexReader::new(sound.clone().into()).unwrap().toc();
    // A changed letter of a symbol, and of a value in the postings offset table.
    for part in [toc.symbols, toc.postings_table] {
        let mut damaged = sound.clone();
        let last = damaged[part as usize..].windows(5).position(|w| w == b"02999").unwrap();
        damaged[part as usize + last + 4] = b'8';
        std::fs::write(dir.path().join(INDEX_FILE), &damaged).unwrap();
        let index = with_header(dir.path());
        assert_eq!(index.postings("i", "00001").unwrap().len(), 1, "lies in a sound page");
        assert_eq!(index.symbol_ref("00001").unwrap().map(|r| index.symbol(r)), Some(Ok("00001")));
        let e = if part == toc.symbols {
            index.symbol_ref("02998").unwrap_err()
        } else {
            index.postings("i", "02998").unwrap_err()
        };
        assert!(e.file == INDEX_FILE && e.offset >= part && e.what.contains("checksum"), "{e}");
        assert!(index.all_symbols().is_err() || index.label_values("i").is_err());
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_goes_without() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 0);
    let index = IndexReader::open(&dir.path().join(INDEX_FILE)).unwrap();
    let plain = contents(&index);
    assert_eq!(contents(&index.with_sparse_header("/dev/null/index.sparse".into())), plain);
}
