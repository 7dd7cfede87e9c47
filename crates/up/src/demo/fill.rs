//! From scrapes to blocks in the bucket, the way a sidecar's blocks go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use block::chunk::{SAMPLES_PER_CHUNK, encode_floats};
use block::meta::{BlockMeta, Thanos, ulid_at};
use block::{BlockWriter, NewChunk};
use bucket::{Bucket, MetaSync, SyncOptions};
use model::TimeRange;

use super::chance::hash;
use super::{DemoSeries, Source};

/// The span of a block as Prometheus cuts it.
pub(crate) const BLOCK_MS: i64 = 2 * 3_600_000;
/// How far history goes back when the bucket is empty.
const HISTORY_MS: i64 = 21 * 24 * 3_600_000;

/// Fills the bucket with blocks of each source, from where its blocks end (three weeks ago, where it has
/// none) to the last full two hours. Gives for each source where its blocks end now.
///
/// # Errors
/// When the bucket holds blocks of others, or something cannot be read or written.
pub(crate) async fn fill(
    bucket: &Bucket,
    sources: &[Arc<Source>],
    scratch: &Path,
    now: i64,
) -> anyhow::Result<Vec<i64>> {
    let metas = MetaSync::new(bucket.clone(), SyncOptions::default());
    let there = metas.sync(now, TimeRange::ALL).await.context("look into the bucket")?;
    let own: BTreeSet<_> = sources.iter().map(|s| &s.external).collect();
    let mut ends = BTreeMap::new();
    for block in there.blocks.values() {
        let labels = block.meta.labels();
        if !own.contains(&labels) {
            bail!("block {} of {labels} is not the demo's: --demo wants an empty bucket or its own", block.meta.ulid);
        }
        let end = ends.entry(labels).or_insert(i64::MIN);
        *end = block.meta.max_time.max(*end);
    }
    let last = now.div_euclid(BLOCK_MS) * BLOCK_MS;
    if ends.is_empty() {
        tracing::info!("filling the bucket with three weeks of the demo's history");
    }
    let begun = std::time::Instant::now();
    let fills = sources.iter().map(|source| {
        let first = ends.get(&source.external).copied().unwrap_or((now - HISTORY_MS).div_euclid(BLOCK_MS) * BLOCK_MS);
        fill_source(bucket, source, scratch, first, last)
    });
    let filled = futures::future::try_join_all(fills).await?;
    let blocks: i64 = filled.iter().map(|f| f.0).sum();
    if blocks > 0 {
        tracing::info!(blocks, seconds = begun.elapsed().as_secs_f32(), "filled the bucket");
    }
    Ok(filled.into_iter().map(|f| f.1).collect())
}

/// The blocks of `first..last`, oldest first, so that what is there never has a hole. Gives how many.
async fn fill_source(
    bucket: &Bucket,
    source: &Arc<Source>,
    scratch: &Path,
    first: i64,
    last: i64,
) -> anyhow::Result<(i64, i64)> {
    let mut blocks = 0;
    let mut from = first;
    while from < last {
        let scraped = {
            let source = Arc::clone(source);
            tokio::task::spawn_blocking(move || source.scrape(from, from + BLOCK_MS)).await?
        };
        blocks += i64::from(upload(bucket, source, scratch, from, scraped).await?);
        from += BLOCK_MS;
    }
    Ok((blocks, from))
}

/// Writes one block and uploads it; `false` where there is nothing to write.
///
/// # Errors
/// When it cannot be written or uploaded. It may be tried again: the block's id depends on source and time.
pub(crate) async fn upload(
    bucket: &Bucket,
    source: &Source,
    scratch: &Path,
    from: i64,
    series: Vec<DemoSeries>,
) -> anyhow::Result<bool> {
    if series.is_empty() {
        return Ok(false);
    }
    let end = from + BLOCK_MS;
    let random = |i| u128::from(hash(&[source.seed(), from as u64, i]));
    let mut meta = BlockMeta::new(ulid_at(end, random(0) << 64 | random(1)), from, end);
    let labels = source.external.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    meta.thanos = Some(Thanos { version: 1, labels, source: "sidecar".to_owned(), ..Thanos::default() });
    let dir = scratch.join(meta.ulid.to_string());
    let meta = {
        let dir = dir.clone();
        tokio::task::spawn_blocking(move || write(&dir, meta, &series)).await?
    };
    let meta = meta.with_context(|| format!("write the block {}", dir.display()))?;
    bucket.upload_block(&dir, &meta).await.with_context(|| format!("upload the block {}", meta.ulid))?;
    tokio::fs::remove_dir_all(&dir).await.with_context(|| format!("remove {}", dir.display()))?;
    Ok(true)
}

fn write(dir: &Path, meta: BlockMeta, series: &[DemoSeries]) -> anyhow::Result<BlockMeta> {
    if dir.exists() {
        // Left by a process that was killed.
        std::fs::remove_dir_all(dir)?;
    }
    let symbols: BTreeSet<&str> = series.iter().flat_map(|s| s.labels.iter().flat_map(|(n, v)| [n, v])).collect();
    let mut writer = BlockWriter::create(dir, symbols)?;
    for s in series {
        let chunks = encode_floats(&s.t, &s.v, SAMPLES_PER_CHUNK);
        let chunks: Vec<_> = chunks
            .iter()
            .map(|c| NewChunk { min_time: c.min_time, max_time: c.max_time, encoding: c.encoding, payload: &c.bytes })
            .collect();
        writer.add_series(s.labels.iter(), &chunks)?;
    }
    Ok(writer.finish(meta)?)
}
