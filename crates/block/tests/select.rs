//! Selecting series by matchers, against trying every matcher on every series.

use std::collections::BTreeSet;
use std::path::Path;

use block::index::IndexReader;
use block::postings::{intersect, select, subtract, union};
use block::{BlockMeta, BlockWriter, SeriesEntry, Ulid};
use bytes::Bytes;
use model::{Labels, MatchOp, Matcher};
use proptest::prelude::*;

fn write(dir: &Path, series: &BTreeSet<Labels>) {
    let symbols: BTreeSet<&str> = series.iter().flat_map(|l| l.iter().flat_map(|(n, v)| [n, v])).collect();
    let mut writer = BlockWriter::create(dir, symbols).unwrap();
    for labels in series {
        writer.add_series(labels, &[]).unwrap();
    }
    writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1)).unwrap();
}

fn fleet() -> BTreeSet<Labels> {
    let mut series = BTreeSet::new();
    for i in 0..700 {
        for j in 0..12 {
            let (i, n) = (i.to_string(), (j % 4).to_string());
            let name = if j % 3 == 0 { "requests" } else { "errors" };
            let mut pairs = vec![("__name__", name), ("i", &*i), ("n", &*n)];
            let odd = format!("x{j}");
            if j % 2 == 1 {
                pairs.push(("odd", &odd));
            }
            if j == 7 {
                pairs.push(("rare", "only"));
            }
            series.insert(Labels::from_pairs(pairs));
        }
    }
    series
}

/// A matcher and, for each series of the index in order, whether it holds.
struct Tried {
    matcher: Matcher,
    holds: Vec<bool>,
}

fn check(index: &IndexReader, all: &[u32], tried: &[&Tried]) {
    let matchers: Vec<Matcher> = tried.iter().map(|t| t.matcher.clone()).collect();
    let expected: Vec<u32> = (0..all.len()).filter(|&i| tried.iter().all(|t| t.holds[i])).map(|i| all[i]).collect();
    let found = select(index, &matchers).unwrap();
    assert!(found == expected, "{matchers:?}: {} series, expected {}", found.len(), expected.len());
}

const CONDITIONS: &[(MatchOp, &str, &str)] = &[
    (MatchOp::Equal, "__name__", "requests"),
    (MatchOp::Equal, "i", "17"),
    (MatchOp::Equal, "i", "absent"),
    (MatchOp::Equal, "odd", ""),
    (MatchOp::Equal, "nolabel", ""),
    (MatchOp::Equal, "nolabel", "x"),
    (MatchOp::NotEqual, "n", "1"),
    (MatchOp::NotEqual, "n", ""),
    (MatchOp::NotEqual, "odd", ""),
    (MatchOp::NotEqual, "rare", "only"),
    (MatchOp::NotEqual, "nolabel", "x"),
    (MatchOp::NotEqual, "nolabel", ""),
    (MatchOp::Regex, "i", "1.*"),
    (MatchOp::Regex, "i", ".+"),
    (MatchOp::Regex, "i", ".*"),
    (MatchOp::Regex, "i", "[0-9]{3}"),
    (MatchOp::Regex, "i", "17|23|699|absent"),
    (MatchOp::Regex, "odd", "x1|"),
    (MatchOp::Regex, "odd", "x1.*|"),
    (MatchOp::Regex, "odd", "(x.*)?"),
    (MatchOp::Regex, "nolabel", ".+"),
    (MatchOp::Regex, "nolabel", ".*"),
    (MatchOp::NotRegex, "i", "2.+"),
    (MatchOp::NotRegex, "i", ".+"),
    (MatchOp::NotRegex, "odd", ".*"),
    (MatchOp::NotRegex, "odd", ""),
    (MatchOp::NotRegex, "odd", "x1|"),
    (MatchOp::NotRegex, "odd", "x[13]|x5"),
    (MatchOp::NotRegex, "nolabel", ".+"),
    (MatchOp::NotRegex, "rare", "on.*"),
];

#[test]
fn combinations_of_matchers_select_what_they_say() {
    let series = fleet();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &series);
    let open = || IndexReader::open(&dir.path().join("index")).unwrap();
    let sparse = dir.path().join(block::index::SPARSE_FILE);
    open().with_sparse_header(sparse.clone()).symbol_count().unwrap();
    let index = open().with_sparse_header(sparse);
    let all = index.all_postings().unwrap().to_vec();
    let mut entry = SeriesEntry::default();
    for (&reference, labels) in all.iter().zip(&series) {
        index.series(reference, &mut entry).unwrap();
        let text = |r| index.symbol(r).unwrap();
        assert_eq!(Labels::from_sorted(entry.labels.iter().map(|&(n, v)| (text(n), text(v)))), *labels);
    }
    check(&index, &all, &[]);
    // Values in no order, some of which do not occur: more than are looked up one by one.
    let many: Vec<String> = (0..900).step_by(3).map(|i| (i * 7 % 900).to_string()).collect();
    let many = many.join("|");
    let long = [(MatchOp::Regex, "i", &*many), (MatchOp::NotRegex, "i", &*many), (MatchOp::Regex, "nolabel", &*many)];
    let tried = CONDITIONS.iter().copied().chain(long).map(|(op, n, v)| {
        let matcher = Matcher::new(op, n, v).unwrap();
        Tried { holds: series.iter().map(|l| matcher.matches(l.get(n).unwrap_or(""))).collect(), matcher }
    });
    let tried: Vec<Tried> = tried.collect();
    for (i, a) in tried.iter().enumerate() {
        check(&index, &all, &[a]);
        check(&open(), &all, &[a]);
        for (j, b) in tried.iter().enumerate().skip(i) {
            check(&index, &all, &[a, b]);
            check(&index, &all, &[b, a, &tried[(i * 7 + j) % tried.len()]]);
        }
    }
}

#[test]
fn a_version_1_index_reads_as_well() {
    let index = IndexReader::new(Bytes::from(version_1())).unwrap();
    assert_eq!(index.version(), 1);
    assert_eq!(index.label_names().unwrap(), ["a", "b"]);
    assert_eq!(index.label_values("a").unwrap(), ["1", "2"]);
    let found = select(&index, &[Matcher::equal("a", "2")]).unwrap();
    let mut entry = SeriesEntry::default();
    index.series(found[0], &mut entry).unwrap();
    let labels: Vec<_> =
        entry.labels.iter().map(|&(n, v)| (index.symbol(n).unwrap(), index.symbol(v).unwrap())).collect();
    assert_eq!((found.len(), labels), (1, vec![("a", "2"), ("b", "1")]));
    assert_eq!(select(&index, &[Matcher::new(MatchOp::NotEqual, "b", "").unwrap()]).unwrap().len(), 1);
}

/// Two series as version 1 has them: references are byte offsets, the offset table need not be sorted.
fn version_1() -> Vec<u8> {
    fn section(file: &mut Vec<u8>, body: &[u8]) {
        file.extend_from_slice(&(body.len() as u32).to_be_bytes());
        file.extend_from_slice(body);
        file.extend_from_slice(&crc32c::crc32c(body).to_be_bytes());
    }
    let mut file = vec![0xBA, 0xAA, 0xD7, 0x00, 1];
    let symbols = file.len() as u64;
    section(&mut file, b"\0\0\0\x04\x011\x012\x01a\x01b");
    let at = |i: u8| 13 + 2 * i;
    let (one, two, a, b) = (at(0), at(1), at(2), at(3));
    let mut put_series = |labels: &[u8]| {
        let start = file.len() as u32;
        let mut body = vec![labels.len() as u8 / 2];
        body.extend_from_slice(labels);
        body.push(0);
        file.push(body.len() as u8);
        file.extend_from_slice(&body);
        file.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        start
    };
    let first = put_series(&[a, one]);
    let second = put_series(&[a, two, b, one]);
    let end_of_series = file.len() as u64;
    let mut table = 4_u32.to_be_bytes().to_vec();
    let lists: [(&str, &str, &[u32]); 4] =
        [("b", "1", &[second]), ("a", "2", &[second]), ("a", "1", &[first]), ("", "", &[first, second])];
    for (name, value, list) in lists {
        let offset = file.len() as u8;
        let mut body = (list.len() as u32).to_be_bytes().to_vec();
        list.iter().for_each(|r| body.extend_from_slice(&r.to_be_bytes()));
        section(&mut file, &body);
        table.extend_from_slice(&[2, name.len() as u8]);
        table.extend_from_slice(name.as_bytes());
        table.push(value.len() as u8);
        table.extend_from_slice(value.as_bytes());
        assert!(offset < 128);
        table.push(offset);
    }
    let table_at = file.len() as u64;
    section(&mut file, &table);
    let toc = [symbols, u64::from(first), end_of_series, 0, end_of_series, table_at];
    let toc: Vec<u8> = toc.iter().flat_map(|o| o.to_be_bytes()).collect();
    file.extend_from_slice(&toc);
    file.extend_from_slice(&crc32c::crc32c(&toc).to_be_bytes());
    file
}

proptest! {
    #[test]
    fn set_operations_agree_with_sets(a in prop::collection::btree_set(0_u32..300, 0..80),
                                      b in prop::collection::btree_set(0_u32..300, 0..80)) {
        let (x, y): (Vec<_>, Vec<_>) = (a.iter().copied().collect(), b.iter().copied().collect());
        prop_assert_eq!(intersect(&x, &y), a.intersection(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(subtract(&x, &y), a.difference(&b).copied().collect::<Vec<_>>());
        prop_assert_eq!(union(&x, &y), a.union(&b).copied().collect::<Vec<_>>());
    }
}
