use std::collections::BTreeSet;

use block::{BlockMeta, BlockWriter, Encoding, NewChunk, SeriesEntry, Ulid};

use store::order::HeldBack;
use store::testing::prefixes_and_extensions;

use super::*;

fn index(series: &BTreeSet<Labels>) -> (tempfile::TempDir, Index) {
    let dir = tempfile::tempdir().unwrap();
    let symbols: BTreeSet<&str> = series.iter().flat_map(|l| l.iter().flat_map(|(n, v)| [n, v])).collect();
    let mut writer = BlockWriter::create(dir.path(), symbols).unwrap();
    let chunk = NewChunk { min_time: 0, max_time: 1, encoding: Encoding::Xor, payload: &[0, 1, 0] };
    for labels in series {
        writer.add_series(labels, &[chunk]).unwrap();
    }
    writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1)).unwrap();
    let index = block::IndexReader::open(&dir.path().join("index")).unwrap();
    let index = Index::Whole(std::sync::Arc::new(index));
    (dir, index)
}

fn whole(index: &Index) -> &block::IndexReader {
    match index {
        Index::Whole(whole) => whole,
        Index::Ranged(_) => panic!("it is whole"),
    }
}

#[test]
fn series_come_out_in_the_order_of_their_final_labels() {
    let sets = prefixes_and_extensions();
    let (_dir, index) = index(&sets);
    for external in [&["a"][..], &["c"], &["e"], &["i"], &["c", "e"], &["a", "g"], &["c", "i"], &[]] {
        let external = Labels::from_pairs(external.iter().map(|n| (*n, "x")));
        let mut finals = Finals::new(&index, &external, &[]).unwrap();
        assert!(finals.keeps_order());
        let (mut held, mut out, mut most) = (HeldBack::default(), Vec::new(), 0);
        for reference in whole(&index).all_postings().unwrap().iter() {
            let mut entry = SeriesEntry::default();
            index.series(reference, &mut entry).unwrap();
            let row = Row { labels: entry.labels, chunks: Vec::new() };
            while let Some(before) = held.pop_before(|top| finals.waits(&index, top, &row)).unwrap() {
                out.push(before);
            }
            let may_wait = finals.may_wait(&index, &row).unwrap();
            out.extend(held.hold(row, may_wait));
            most = most.max(held.len());
        }
        while let Some(row) = held.pop() {
            out.push(row);
        }
        let out: Vec<Labels> = out.iter().map(|row| finals.labels(&index, &row.labels).unwrap()).collect();
        assert_eq!(out.len(), sets.len());
        assert!(out.is_sorted_by(|a, b| a < b), "with {external}");
        assert!(most <= 4, "no more than one for each label is held back");
    }
}

#[test]
fn labels_of_the_series_itself_break_the_order() {
    let (_dir, index) = index(&prefixes_and_extensions());
    let external = Labels::from_pairs([("d", "x"), ("z", "y")]);
    let mut finals = Finals::new(&index, &external, &["f".to_owned(), "z".to_owned()]).unwrap();
    assert!(!finals.keeps_order());
    let mut entry = SeriesEntry::default();
    let last = whole(&index).all_postings().unwrap().to_vec().pop().unwrap();
    index.series(last, &mut entry).unwrap();
    let found = finals.labels(&index, &entry.labels).unwrap();
    let own: Vec<_> = entry.labels.iter().map(|&(n, v)| (index.symbol(n).unwrap(), index.symbol(v).unwrap())).collect();
    let mut expected = Labels::from_pairs(own);
    expected = Labels::from_pairs(expected.iter().filter(|(n, _)| *n != "f").chain([("d", "x")]));
    assert_eq!(found, expected);
}
