use std::collections::BTreeMap;

use block::BlockMeta;
use block::meta::Thanos;
use bucket::SyncedBlock;

use super::*;

fn block(id: u128, resolution: i64, min: i64, max: i64) -> Arc<Block> {
    let ulid = Ulid::from_parts(0, id);
    let mut meta = BlockMeta::new(ulid, min, max);
    let mut thanos = Thanos { labels: BTreeMap::from([("r".to_owned(), "a".to_owned())]), ..Thanos::default() };
    thanos.downsample.resolution = resolution;
    meta.thanos = Some(thanos);
    Arc::new(Block::new(ulid, &SyncedBlock { meta: Arc::new(meta), objects: Arc::default() }))
}

#[test]
fn the_coarsest_resolution_is_taken_and_gaps_are_filled() {
    let blocks = [
        block(1, 0, 0, 100),
        block(2, 0, 100, 200),
        block(3, 0, 200, 300),
        block(4, 0, 300, 400),
        block(5, 300_000, 0, 200),
        block(6, 300_000, 200, 300),
        block(7, 3_600_000, 0, 200),
    ];
    let catalog = Catalog::new(blocks);
    let check = |min, max, resolution, expected: &[u128]| {
        let found = catalog.select(&[], TimeRange::new(min, max), resolution);
        let found: Vec<u128> = found.iter().map(|(b, _)| b.id.random()).collect();
        assert_eq!(found, expected, "[{min}, {max}] at {resolution}");
    };
    check(0, 400, 0, &[1, 2, 3, 4]);
    check(0, 399, 299_999, &[1, 2, 3, 4]);
    check(0, 400, 300_000, &[5, 6, 4]);
    check(0, 400, 3_600_000, &[7, 6, 4]);
    check(0, 400, i64::MAX, &[7, 6, 4]);
    check(50, 99, 0, &[1]);
    check(100, 100, 0, &[2]);
    check(250, 350, 3_600_000, &[6, 4]);
    check(400, 500, 3_600_000, &[]);
    check(10, 9, 0, &[]);
}

#[test]
fn external_labels_decide_their_matchers() {
    let catalog = Catalog::new([block(1, 0, 0, 100)]);
    let all = TimeRange::ALL;
    let up = Matcher::equal("__name__", "up");
    let found = catalog.select(&[up.clone(), Matcher::equal("r", "a")], all, 0);
    assert_eq!((found.len(), &*found[0].1), (1, &[up.clone()][..]));
    assert!(catalog.select(&[up.clone(), Matcher::equal("r", "b")], all, 0).is_empty());
    assert_eq!(catalog.overlapping(&[Matcher::equal("r", "a")], TimeRange::new(99, 99)).len(), 1);
    assert!(catalog.overlapping(&[], TimeRange::new(100, 100)).is_empty());
}

#[test]
fn blocks_that_touch_are_one_extent() {
    let catalog =
        Catalog::new([block(1, 0, 0, 100), block(2, 0, 100, 200), block(3, 0, 250, 300), block(4, 0, 10, 20)]);
    let ranges = |limit| catalog.extents(limit).iter().map(|e| (e.range.min, e.range.max)).collect::<Vec<_>>();
    assert_eq!(ranges(TimeRange::ALL), [(0, 200), (250, 300)]);
    assert_eq!(ranges(TimeRange::new(50, 220)), [(50, 200)]);
}
