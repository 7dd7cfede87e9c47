use bucket::{Faults, Recorder};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::*;

const SETTINGS: CachingSettings = CachingSettings {
    part_bytes: 100,
    requests_max: 3,
    part_ttl: Duration::from_secs(60),
    meta_ttl: Duration::from_secs(60),
    meta_bytes_max: 1000,
};

async fn store(len: usize) -> (Caching, Faults, Path, Vec<u8>) {
    let (cache, _) = Cache::new(&cache::Config::Memory(cache::MemoryConfig::of(1 << 20))).unwrap();
    let (inner, faults) = (InMemory::new(), Faults::default());
    let block = Ulid::from_parts(1, 1);
    let path = BlockFile::Chunks(1).path(block);
    let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    inner.put(&path, content.clone().into()).await.unwrap();
    inner.put(&BlockFile::Meta.path(block), "{}".into()).await.unwrap();
    let recorder = Recorder::new(Arc::new(inner), faults.clone());
    (Caching::new(Arc::new(recorder), cache, SETTINGS), faults, path, content)
}

#[tokio::test]
async fn every_range_is_what_the_object_holds_and_a_known_one_asks_nothing() {
    let (store, faults, path, content) = store(1234).await;
    for (start, end) in [(0, 10), (99, 101), (0, 1234), (1200, 1234), (250, 720), (1230, 1300), (500, 600)] {
        for round in 0..2 {
            drop(faults.take());
            let got = store.get_range(&path, start..end).await.unwrap();
            assert_eq!(&got[..], &content[start as usize..content.len().min(end as usize)], "{start}..{end}");
            let asked = faults.take().len();
            // Only past the object's end can it not know.
            assert!(round == 0 || asked == 0 || end > 1234, "{start}..{end}: {asked} requests");
        }
    }
}

#[tokio::test]
async fn what_is_missing_takes_few_requests() {
    let (store, faults, path, _) = store(2000).await;
    for n in [1, 3, 5, 7] {
        store.get_range(&path, n * 100..n * 100 + 1).await.unwrap();
    }
    drop(faults.take());
    store.get_range(&path, 0..600).await.unwrap();
    assert_eq!(faults.take().len(), 3, "0, 2 and 4");
    store.get_range(&path, 600..2000).await.unwrap();
    assert_eq!(faults.take().len(), 2, "6, and from 8 on");
}

#[tokio::test]
async fn metas_are_kept_and_other_objects_are_not() {
    let (store, faults, path, _) = store(10).await;
    let meta = BlockFile::Meta.path(Ulid::from_parts(1, 1));
    for _ in 0..3 {
        assert_eq!(store.get(&meta).await.unwrap().bytes().await.unwrap(), "{}");
    }
    assert_eq!(faults.take().len(), 1);
    for _ in 0..3 {
        store.get(&path).await.unwrap().bytes().await.unwrap();
        assert!(store.get(&BlockFile::Index.path(Ulid::from_parts(1, 1))).await.is_err());
    }
    assert_eq!(faults.take().len(), 6);
}
