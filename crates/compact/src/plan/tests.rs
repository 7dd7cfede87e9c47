use super::*;

/// A block `n` of the range, with ranges counted in units of 20.
fn block(n: u128, min_time: i64, max_time: i64) -> Arc<BlockMeta> {
    Arc::new(BlockMeta::new(Ulid::from_parts(0, n), min_time, max_time))
}

const RANGES: [i64; 3] = [20, 60, 180];

/// Plans over blocks given as time ranges, numbered from 1; `no_compact` and the answer are numbers.
fn check(ranges: &[(i64, i64)], no_compact: &[u128], expected: &[u128]) {
    let mut blocks: Vec<_> = (1..).zip(ranges).map(|(n, (min, max))| block(n, *min, *max)).collect();
    sort(&mut blocks);
    let no_compact = no_compact.iter().map(|n| Ulid::from_parts(0, *n)).collect();
    let planned: Vec<u128> = plan(&blocks, &no_compact, &RANGES).iter().map(|b| b.ulid.random()).collect();
    assert_eq!(planned, expected, "{ranges:?} without {no_compact:?}");
}

#[test]
fn levels() {
    check(&[], &[], &[]);
    check(&[(0, 20)], &[], &[]);
    check(&[(0, 20), (20, 40)], &[], &[]);
    // The newest is left alone, and the range is not full without it.
    check(&[(0, 20), (20, 40), (40, 60)], &[], &[]);
    // Full and aligned.
    check(&[(0, 20), (20, 40), (40, 60), (60, 80)], &[], &[1, 2, 3]);
    // Not full, and nothing later but the newest: one could still fill it.
    check(&[(20, 40), (60, 80), (80, 100)], &[], &[]);
    // With a gap, but wholly before the newest of those considered.
    check(&[(0, 20), (40, 60), (60, 80), (80, 100)], &[], &[1, 2]);
    // Not aligned: 20–80 falls into two windows.
    check(&[(20, 40), (40, 60), (60, 80), (80, 100)], &[], &[1, 2]);
    // The smaller range goes first, though the larger is full too.
    check(&[(0, 60), (60, 120), (120, 180), (180, 200), (200, 220), (220, 240), (240, 260)], &[], &[4, 5, 6]);
    check(&[(0, 60), (60, 120), (120, 180), (180, 200)], &[], &[1, 2, 3]);
    // Oldest first.
    check(&[(0, 20), (20, 40), (40, 60), (60, 80), (80, 100), (100, 120), (120, 140)], &[], &[1, 2, 3]);
    // A block as large as the range is no part of it.
    check(&[(0, 60), (60, 80), (80, 100), (100, 120), (120, 140)], &[], &[2, 3, 4]);
    // Negative times align downwards.
    check(&[(-60, -40), (-40, -20), (-20, 0), (0, 20)], &[], &[1, 2, 3]);
    // A block across a window's border is left out.
    check(&[(0, 20), (50, 70), (80, 100), (100, 120), (120, 140), (140, 160)], &[], &[3, 4]);
}

#[test]
fn overlaps_come_first() {
    check(&[(0, 20), (10, 30)], &[], &[1, 2]);
    check(&[(0, 20), (0, 20)], &[], &[1, 2]);
    check(&[(0, 20), (20, 40), (30, 50), (45, 60), (60, 80)], &[], &[2, 3, 4]);
    // A large one holds two small ones that do not touch.
    check(&[(0, 100), (10, 20), (50, 60), (100, 120)], &[], &[1, 2, 3]);
    // Of two runs the first.
    check(&[(0, 20), (10, 20), (20, 40), (30, 40)], &[], &[1, 2]);
    // Overlap of blocks that are not to be compacted is no matter.
    check(&[(0, 20), (10, 20), (20, 40)], &[1], &[]);
    check(&[(0, 20), (20, 40), (40, 60), (60, 80), (10, 30)], &[5], &[2, 3]);
}

#[test]
fn excluded_blocks_split_a_stretch() {
    let six = [(0, 20), (20, 40), (40, 60), (60, 80), (80, 100), (100, 120), (120, 140)];
    check(&six, &[1], &[2, 3]);
    check(&six, &[3], &[1, 2]);
    // No two neighbours are left in the first range: the next one.
    check(&six, &[2], &[4, 5, 6]);
    check(&six, &[2, 5], &[]);
    // The newest counts as such, excluded or not.
    check(&six[..4], &[4], &[1, 2, 3]);
}

#[test]
fn failed_blocks_are_not_tried_again() {
    let mut blocks = vec![block(1, 0, 20), block(2, 20, 40), block(3, 40, 60), block(4, 60, 80)];
    Arc::make_mut(&mut blocks[1]).compaction.failed = true;
    assert!(plan(&blocks, &BTreeSet::new(), &RANGES).is_empty());
}

#[test]
fn blocks_group_by_labels_and_resolution() {
    let with = |n, label: &str, resolution| {
        let mut meta = BlockMeta::new(Ulid::from_parts(0, n), 100 - n as i64, 200);
        let thanos = meta.thanos.get_or_insert_default();
        thanos.labels.insert("a".to_owned(), label.to_owned());
        thanos.downsample.resolution = resolution;
        Arc::new(meta)
    };
    let groups = groups([with(1, "x", 0), with(2, "y", 0), with(3, "x", 0), with(4, "x", 300_000)]);
    let ids: Vec<_> =
        groups.iter().map(|(k, b)| (k.to_string(), b.iter().map(|b| b.ulid.random()).collect())).collect();
    let expected: [(String, Vec<u128>); 3] = [
        (r#"0@{a="x"}"#.to_owned(), vec![3, 1]),
        (r#"0@{a="y"}"#.to_owned(), vec![2]),
        (r#"300000@{a="x"}"#.to_owned(), vec![4]),
    ];
    assert_eq!(ids, expected);
}
