//! A bucket of very many series with hardly a sample each: for what selecting them costs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use block::chunk::encode_floats;
use block::{BlockMeta, BlockWriter, NewChunk};

/// Metrics of each instance.
pub const METRICS: u64 = 100;
/// Begin of the block, Unix milliseconds.
pub const START_MS: i64 = 1_767_225_600_000;
const BLOCK_MS: i64 = 7_200_000;

/// Writes the bucket below `dir` unless it is there: one block of `series` series. Gives its folder.
///
/// # Errors
/// When files cannot be written.
pub fn prepare(dir: &Path, series: u64) -> Result<PathBuf> {
    let bucket = dir.join(format!("wide-{series}")).join("bucket");
    let complete = dir.join(format!("wide-{series}")).join("complete");
    if complete.exists() {
        return Ok(bucket);
    }
    if bucket.exists() {
        std::fs::remove_dir_all(&bucket)?;
    }
    let instances = series.div_ceil(METRICS);
    let id = block::meta::ulid_at(START_MS + BLOCK_MS, 1);
    let dir = bucket.join(id.to_string());
    let names: Vec<String> = (0..METRICS).map(metric).collect();
    let hosts: Vec<String> = (0..instances).map(instance).collect();
    let mut symbols: Vec<&str> = names.iter().chain(&hosts).map(String::as_str).collect();
    symbols.extend(["__name__", "instance", "job", "wide"]);
    symbols.sort_unstable();
    let mut writer = BlockWriter::create(&dir, &symbols)?;
    let symbol = |writer: &BlockWriter, text: &str| writer.symbol(text).context("a symbol");
    let labels = ["__name__", "instance", "job", "wide"].map(|text| symbol(&writer, text));
    let [name, host, job, wide] = labels;
    let (name, host, job, wide) = (name?, host?, job?, wide?);
    let chunks = encode_floats(&[START_MS + 1000, START_MS + 61_000], &[1.0, 2.0], 120);
    let chunk = chunks.first().context("a chunk")?;
    let chunk = [NewChunk {
        min_time: chunk.min_time,
        max_time: chunk.max_time,
        encoding: chunk.encoding,
        payload: &chunk.bytes,
    }];
    for metric in &names {
        let metric = symbol(&writer, metric)?;
        for instance in &hosts {
            let instance = symbol(&writer, instance)?;
            writer.add_series_refs(&[(name, metric), (host, instance), (job, wide)], &chunk)?;
        }
    }
    let mut meta = BlockMeta::new(id, START_MS, START_MS + BLOCK_MS);
    let mut thanos = block::meta::Thanos { version: 1, source: "sidecar".into(), ..Default::default() };
    thanos.labels = [("cluster".into(), "wide".into())].into();
    meta.thanos = Some(thanos);
    writer.finish(meta)?;
    std::fs::write(&complete, "")?;
    Ok(bucket)
}

#[must_use]
pub fn metric(i: u64) -> String {
    format!("metric_{i:03}_total")
}

#[must_use]
pub fn instance(i: u64) -> String {
    format!("host-{i:06}:9100")
}
