use block::meta::{BlockMeta, DeletionMark, NoCompactMark, Thanos};
use model::TimeRange;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::*;
use crate::{BlockFile, Bucket, Faults, Operation, Recorder, Snapshot, SyncOptions};

const NOW: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;

/// A block made `hours` before now.
fn id(hours: i64, n: u128) -> Ulid {
    Ulid::from_parts((NOW - hours * HOUR) as u64, n)
}

/// As a foreign component uploads a block: nothing of ours is told.
async fn upload(bucket: &Bucket, block: Ulid) {
    let mut meta = BlockMeta::new(block, 1000, 2000);
    let labels = [("a".to_owned(), block.to_string())].into();
    meta.thanos = Some(Thanos { version: 1, labels, source: "sidecar".to_owned(), ..Thanos::default() });
    for (file, bytes) in
        [(BlockFile::Chunks(1), vec![1]), (BlockFile::Index, vec![2]), (BlockFile::Meta, meta.to_json())]
    {
        bucket.store().put(&file.path(block), bytes.into()).await.expect("put");
    }
}

/// Blocks of the last months, recorded from here on.
async fn bucket(blocks: i64) -> (Bucket, Faults) {
    let faults = Faults::default();
    let bucket = Bucket::memory();
    for n in 0..blocks {
        upload(&bucket, id(n + 1, n as u128)).await;
    }
    let recorded = faults.clone();
    (bucket.decorated(|store| Recorder::new(store, recorded)), faults)
}

fn reader(bucket: &Bucket) -> MetaSync {
    let discovery = Discovery::Index { full_every: Duration::from_secs(3600) };
    MetaSync::new(bucket.clone(), SyncOptions { discovery, ..SyncOptions::default() })
}

async fn look(sync: &MetaSync, now_ms: i64) -> Snapshot {
    sync.sync(now_ms, TimeRange::ALL).await.expect("sync")
}

/// What the compactor does.
async fn write_index(bucket: &Bucket, now_ms: i64) {
    let writer = MetaSync::new(bucket.clone(), SyncOptions::default());
    look(&writer, now_ms).await;
    assert!(writer.write_index(now_ms).await.expect("write"));
}

/// Listings, reads and the rest since the last call.
fn asked(faults: &Faults) -> (usize, usize, usize) {
    let asked = faults.take();
    let count = |operation| asked.iter().filter(|(o, _)| *o == operation).count();
    let (lists, gets) = (count(Operation::List), count(Operation::Get));
    (lists, gets, asked.len() - lists - gets)
}

#[tokio::test]
async fn an_idle_sync_of_3000_blocks_is_two_requests() {
    let (bucket, faults) = bucket(3000).await;
    write_index(&bucket, NOW).await;
    assert_eq!(asked(&faults), (1, 3000, 1), "the writer lists, reads each meta once and writes the index");
    let sync = reader(&bucket);
    for minutes in 0..4 {
        let snapshot = look(&sync, NOW + minutes * 15 * 60_000).await;
        assert_eq!(snapshot.blocks.len(), 3000);
        let all = faults.take();
        assert_eq!(all.len(), 2, "at {minutes}: {all:?}");
        assert_eq!(all[0], (Operation::Get, "esker/bucket-index".to_owned()));
        let tail = Ulid::from_parts((NOW - 25 * HOUR) as u64, 0).to_string();
        assert_eq!(all[1], (Operation::List, tail), "starts at the newest known less a day");
    }
    // Then everything is listed, and nothing is asked for each block.
    look(&sync, NOW + HOUR).await;
    assert_eq!(asked(&faults), (1, 1, 0));
    look(&sync, NOW + HOUR + 1).await;
    assert_eq!(faults.take()[1].0, Operation::List);
}

#[tokio::test]
async fn what_foreign_writers_add_is_seen() {
    let (bucket, faults) = bucket(100).await;
    write_index(&bucket, NOW).await;
    let sync = reader(&bucket);
    assert_eq!(look(&sync, NOW).await.blocks.len(), 100);

    // A new block: with the next sync, for one more read.
    let new = id(0, 1);
    upload(&bucket, new).await;
    let _setup = faults.take();
    assert!(look(&sync, NOW + 60_000).await.blocks.contains_key(&new));
    assert_eq!(asked(&faults), (1, 2, 0));

    // One that took days, marks on old blocks, and an old block deleted: with the next full listing.
    let (late, marked, kept, deleted) = (id(72, 7), id(90, 89), id(80, 79), id(95, 94));
    upload(&bucket, late).await;
    let deletion = DeletionMark::new(marked, NOW / 1000, "by hand");
    bucket.store().put(&BlockFile::DeletionMark.path(marked), deletion.to_json().into()).await.expect("mark");
    let no_compact = NoCompactMark::new(kept, NOW / 1000, "manual", "by hand");
    bucket.store().put(&BlockFile::NoCompactMark.path(kept), no_compact.to_json().into()).await.expect("mark");
    bucket.delete_block(deleted).await.expect("delete");
    let before = look(&sync, NOW + 120_000).await;
    assert!(before.blocks.contains_key(&deleted) && !before.blocks.contains_key(&late), "not looked for yet");
    let _setup = faults.take();
    let after = look(&sync, NOW + HOUR).await;
    assert_eq!(asked(&faults), (1, 4, 0), "the index, the late meta and two marks");
    assert!(after.blocks.contains_key(&late) && !after.blocks.contains_key(&deleted));
    assert_eq!(after.deletion_marks.keys().copied().collect::<Vec<_>>(), [marked]);
    assert_eq!(after.no_compact_marks.keys().copied().collect::<Vec<_>>(), [kept]);

    // Marks on blocks of the last day come with the next sync.
    let mark = DeletionMark::new(new, NOW / 1000, "by hand");
    bucket.store().put(&BlockFile::DeletionMark.path(new), mark.to_json().into()).await.expect("mark");
    assert!(look(&sync, NOW + HOUR + 1).await.deletion_marks.contains_key(&new));

    // And what the compactor has seen, with the index.
    let mark = DeletionMark::new(late, NOW / 1000, "by hand");
    bucket.store().put(&BlockFile::DeletionMark.path(late), mark.to_json().into()).await.expect("mark");
    write_index(&bucket, NOW + HOUR + 2).await;
    let _setup = faults.take();
    assert!(look(&sync, NOW + HOUR + 3).await.deletion_marks.contains_key(&late));
    assert_eq!(asked(&faults), (1, 1, 0), "the mark came with the index");
}

#[tokio::test]
async fn without_an_index_everything_is_listed() {
    let (bucket, faults) = bucket(50).await;
    let sync = reader(&bucket);
    for (now_ms, gets) in [(NOW, 51), (NOW + 1, 1)] {
        assert_eq!(look(&sync, now_ms).await.blocks.len(), 50);
        assert_eq!(asked(&faults), (1, gets, 0));
    }
    // It appears, is damaged, and is written again.
    write_index(&bucket, NOW + 2).await;
    let _setup = faults.take();
    look(&sync, NOW + 3).await;
    assert!(faults.take()[1].1.starts_with("01"), "a tail");
    let path = Path::from("esker/bucket-index");
    bucket.store().put(&path, b"ESKERBIX nonsense".to_vec().into()).await.expect("put");
    let _setup = faults.take();
    for now_ms in [NOW + 4, NOW + 5] {
        assert_eq!(look(&sync, now_ms).await.blocks.len(), 50);
        assert_eq!(faults.take()[1], (Operation::List, String::new()), "everything, while it is damaged");
    }
    write_index(&bucket, NOW + 6).await;
    look(&sync, NOW + 7).await;
    bucket.store().delete(&path).await.expect("delete");
    let _setup = faults.take();
    look(&sync, NOW + 8).await;
    assert_eq!(faults.take()[1], (Operation::List, String::new()), "everything, since it is gone");
}

#[tokio::test]
async fn a_failing_read_of_the_index_changes_nothing() {
    let (bucket, faults) = bucket(10).await;
    write_index(&bucket, NOW).await;
    let sync = reader(&bucket);
    faults.fail_at(0, crate::Fault::Refused);
    assert_eq!(look(&sync, NOW).await.blocks.len(), 10, "listed instead");
    look(&sync, NOW + 1).await;
    faults.fail_at(0, crate::Fault::Refused);
    let _setup = faults.take();
    assert_eq!(look(&sync, NOW + 2).await.blocks.len(), 10);
    assert!(faults.take()[1].1.starts_with("01"), "the index read before still holds");
    // A listing that fails fails the sync, and what was due stays due.
    sync.suspect();
    faults.fail_at(1, crate::Fault::Refused);
    assert!(sync.sync(NOW + 3, TimeRange::ALL).await.is_err());
    let _setup = faults.take();
    look(&sync, NOW + 4).await;
    assert_eq!(faults.take()[1], (Operation::List, String::new()));
}

#[tokio::test]
async fn an_id_from_the_future_hides_nothing() {
    let (bucket, _) = bucket(10).await;
    upload(&bucket, id(-24 * 365, 1)).await;
    write_index(&bucket, NOW).await;
    let sync = reader(&bucket);
    assert_eq!(look(&sync, NOW).await.blocks.len(), 11);
    upload(&bucket, id(0, 2)).await;
    assert_eq!(look(&sync, NOW + 1).await.blocks.len(), 12);
}

#[tokio::test]
async fn an_old_index_is_checked_soon_and_an_older_one_than_known_is_not_used() {
    let (bucket, faults) = bucket(10).await;
    write_index(&bucket, NOW - 2 * HOUR).await;
    let sync = reader(&bucket);
    look(&sync, NOW).await;
    assert_eq!(faults.take().last().map(|(_, path)| path.starts_with("01")), Some(true), "a quick start");
    look(&sync, NOW + 1).await;
    assert_eq!(faults.take().last(), Some(&(Operation::List, String::new())), "then everything");
    let gone = id(9, 8);
    bucket.delete_block(gone).await.expect("delete");
    sync.suspect();
    assert!(!look(&sync, NOW + 2).await.blocks.contains_key(&gone));
    // Listed before the deletion, written after it.
    let writer = MetaSync::new(bucket.clone(), SyncOptions::default());
    upload(&bucket, gone).await;
    look(&writer, NOW - HOUR).await;
    bucket.delete_block(gone).await.expect("delete");
    writer.write_index(NOW + 3).await.expect("write");
    look(&sync, NOW + 4).await;
    assert_eq!(look(&sync, NOW + 5).await.blocks.len(), 9);
}

#[tokio::test]
async fn the_index_is_written_when_it_says_something_new() {
    let (bucket, faults) = bucket(10).await;
    let writer = MetaSync::new(bucket.clone(), SyncOptions::default());
    assert!(!writer.write_index(NOW).await.expect("nothing is known yet"));
    for (now_ms, written) in [(NOW, true), (NOW + 60_000, false), (NOW + HOUR / 2, true), (NOW + HOUR / 2 + 1, false)] {
        look(&writer, now_ms).await;
        assert_eq!(writer.write_index(now_ms).await.expect("write"), written, "{}", now_ms - NOW);
    }
    upload(&bucket, id(0, 1)).await;
    look(&writer, NOW + HOUR / 2 + 2).await;
    assert!(writer.write_index(NOW + HOUR / 2 + 2).await.expect("write"));
    upload(&bucket, id(0, 2)).await;
    look(&writer, NOW + HOUR / 2 + 3).await;
    faults.fail_at(0, crate::Fault::Refused);
    assert!(writer.write_index(NOW + HOUR / 2 + 3).await.is_err());
    assert!(writer.write_index(NOW + HOUR / 2 + 3).await.expect("tried again"));
    assert_eq!(bucket.list_blocks().await.expect("list").len(), 12, "an index is no block");
}

#[tokio::test]
async fn a_restart_reads_only_what_is_new() {
    let (bucket, faults) = bucket(40).await;
    let dir = tempfile::tempdir().expect("temp dir");
    let copy = dir.path().join("meta/blocks");
    let start = |bucket: &Bucket, discovery| {
        MetaSync::new(bucket.clone(), SyncOptions { discovery, copy: Some(copy.clone()), ..SyncOptions::default() })
    };
    let by_index = Discovery::Index { full_every: Duration::from_secs(3600) };
    let first = start(&bucket, by_index);
    look(&first, NOW).await;
    assert_eq!(asked(&faults), (1, 41, 0));
    upload(&bucket, id(0, 1)).await;
    let _setup = faults.take();
    assert_eq!(look(&start(&bucket, by_index), NOW + 1).await.blocks.len(), 41);
    assert_eq!(asked(&faults), (1, 2, 0), "no index: a listing, and the new meta");

    write_index(&bucket, NOW + 2).await;
    look(&start(&bucket, by_index), NOW + 3).await;
    let _setup = faults.take();
    let restarted = start(&bucket, by_index);
    assert_eq!(look(&restarted, NOW + 4).await.blocks.len(), 41);
    let all = faults.take();
    assert!(all.len() == 2 && all[1].1.starts_with("01"), "{all:?}");

    // Another bucket's, damaged: built anew.
    let (other, faults) = self::bucket(3).await;
    upload(&other, id(5, 99)).await;
    let named = Bucket::new(std::sync::Arc::clone(other.store()), "other", crate::Kind::Memory);
    let _setup = faults.take();
    assert_eq!(look(&start(&named, by_index), NOW).await.blocks.len(), 4);
    assert_eq!(asked(&faults), (1, 5, 0));
    std::fs::write(&copy, b"ESKERBIX").expect("damage");
    assert_eq!(look(&start(&named, by_index), NOW).await.blocks.len(), 4);
    assert_eq!(asked(&faults), (1, 5, 0));
}

#[tokio::test]
async fn a_block_that_is_gone_when_read_is_looked_for_at_once() {
    let (bucket, faults) = bucket(30).await;
    write_index(&bucket, NOW).await;
    let sync = reader(&bucket);
    look(&sync, NOW).await;
    let old = id(29, 28);
    bucket.delete_block(old).await.expect("delete");
    assert!(bucket.read(old, BlockFile::NoCompactMark).await.is_err() && !sync.is_suspicious(), "marks may be missing");
    assert!(bucket.read_range(old, BlockFile::Chunks(1), 0..1).await.expect_err("gone").is_not_found());
    assert!(sync.is_suspicious());
    let _setup = faults.take();
    assert_eq!(look(&sync, NOW + 1).await.blocks.len(), 29);
    assert_eq!(faults.take()[1], (Operation::List, String::new()), "everything");
    assert!(!sync.is_suspicious());
}
