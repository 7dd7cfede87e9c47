//! The suite of `store`, over blocks written from its data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::meta::Thanos;
use block::{BlockMeta, BlockWriter, NewChunk, Ulid};
use bucket::Bucket;
use gateway::{Gateway, Settings};
use model::Labels;
use store::Store;
use store::conformance::{Data, END_MS, START_MS, run};

/// Writes the data into two blocks of an hour each.
fn fill(dir: &std::path::Path, data: &Data) {
    let half = (END_MS - START_MS) / 2;
    for (i, start) in [START_MS, START_MS + half].into_iter().enumerate() {
        let mut series: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
        for (labels, samples) in &data.series {
            let due: Vec<_> = samples.iter().copied().filter(|(t, _)| (start..start + half).contains(t)).collect();
            if !due.is_empty() {
                series.entry(labels.clone()).or_default().extend(due);
            }
        }
        let id = Ulid::from_parts(1, i as u128);
        let symbols: BTreeSet<&str> = series.keys().flat_map(|l| l.iter().flat_map(|(n, v)| [n, v])).collect();
        let mut writer = BlockWriter::create(&dir.join(id.to_string()), symbols).unwrap();
        for (labels, samples) in &series {
            let (t, v): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
            let chunks = block::chunk::encode_floats(&t, &v, 120);
            let new = |c: &block::EncodedChunk| (c.min_time, c.max_time, c.encoding, c.bytes.clone());
            let chunks: Vec<_> = chunks.iter().map(new).collect();
            let chunks: Vec<_> = chunks
                .iter()
                .map(|(min_time, max_time, encoding, payload)| NewChunk {
                    min_time: *min_time,
                    max_time: *max_time,
                    encoding: *encoding,
                    payload,
                })
                .collect();
            writer.add_series(labels, &chunks).unwrap();
        }
        let mut meta = BlockMeta::new(id, start, start + half);
        let labels = data.external.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        meta.thanos = Some(Thanos { version: 1, labels, source: "sidecar".to_owned(), ..Thanos::default() });
        writer.finish(meta).unwrap();
    }
}

async fn conforms(mapped: bool, settings: Settings) {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().to_owned();
    let made = std::sync::atomic::AtomicUsize::new(0);
    run(|data| {
        let dir = root.join(made.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string());
        let settings = settings.clone();
        async move {
            fill(&dir, &data);
            let bucket = Bucket::filesystem(&dir).unwrap();
            let bucket = if mapped { bucket } else { bucket.without_shortcuts() };
            let gateway = Gateway::new(bucket, settings);
            gateway.sync(END_MS).await.unwrap();
            Arc::new(gateway) as Arc<dyn Store>
        }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_over_mapped_blocks_conforms() {
    conforms(true, Settings::default()).await;
}

#[tokio::test]
async fn a_gateway_over_fetched_blocks_conforms() {
    conforms(false, Settings::default()).await;
}

#[tokio::test]
async fn a_gateway_that_reads_indexes_by_ranges_conforms() {
    conforms(false, Settings { whole_index_share: 0.0, ..Settings::default() }).await;
    // Without a cache for what was read.
    conforms(false, Settings { whole_index_share: 0.0, index_cache_bytes: 0, ..Settings::default() }).await;
}
