use bucket::Faults;
use object_store::ObjectStoreExt;

use super::*;

#[tokio::test]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
async fn ranges_come_from_parts_that_are_read_once() {
    let content: Vec<u8> = (0..PART_BYTES * 3 + 100).map(|i| (i * 7 / 3) as u8).collect();
    let id = Ulid::from_parts(1, 1);
    let faults = Faults::default();
    let recorded = faults.clone();
    let bucket = Bucket::memory().decorated(move |store| bucket::Recorder::new(store, recorded));
    bucket.store().put(&BlockFile::Index.path(id), content.clone().into()).await.unwrap();
    drop(faults.take());
    let block = Block {
        id,
        meta: std::sync::Arc::new(block::BlockMeta::new(id, 0, 1)),
        labels: model::Labels::default(),
        resolution_ms: 0,
        index_bytes: content.len() as u64,
        segment_bytes: Vec::new(),
    };
    let cache = PartCache::in_memory(1 << 20).unwrap();
    let check = async |ranges: &[Range<u64>], requests: usize, lacked: u64| {
        let (read, got) = cache.read(&bucket, &block, ranges, &Fetched::default()).await.unwrap();
        for (range, bytes) in ranges.iter().zip(&read) {
            assert_eq!(bytes[..], content[range.start as usize..range.end as usize], "{range:?}");
        }
        assert_eq!(faults.take().len(), requests, "{ranges:?}");
        assert_eq!((got.ranges, got.bytes > 0), (lacked, requests > 0), "{ranges:?}");
    };
    let end = content.len() as u64;
    check(&[0..10, 5..40], 1, 2).await;
    check(&[100..200], 0, 0).await;
    check(&[PART_BYTES - 5..PART_BYTES + 5, 7..9], 1, 1).await;
    // From the middle to the end, of which the first two parts are there.
    check(&[end - 50..end, 10..end], 1, 2).await;
    check(&[0..end], 0, 0).await;
    cache.distrust(id);
    check(&[0..10], 1, 1).await;
    check(&[0..10], 0, 0).await;
    let limit = Fetched::within(10);
    let refused = cache.read(&bucket, &block, &[end - 1..end], &limit).await.unwrap_err();
    assert!(refused.to_string().contains("--store.grpc.downloaded-bytes-limit"), "{refused}");
}
