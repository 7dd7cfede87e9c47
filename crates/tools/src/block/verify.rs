//! Verification of many blocks side by side, and the report on it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use block::verify::{Files, Findings, Verification};
use block::{BlockMeta, Corrupt};
use futures::{StreamExt, TryStreamExt, stream};
use request::Context;
use serde_json::{Value, json};

use crate::report::{Output, block_id, bytes, print, table, time};

/// One block's findings.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The folder's name.
    pub(crate) block: String,
    /// `None` where it cannot be read.
    pub(crate) meta: Option<BlockMeta>,
    pub(crate) findings: Findings,
}

impl Report {
    fn problems(&self) -> u64 {
        self.findings.problems.len() as u64 + self.findings.omitted
    }
}

/// Series of one block are verified in so many parts for each thread of the pool.
const PARTS_A_THREAD: usize = 4;

/// Verifies blocks in folders, as many at a time as the pool has threads; the reports in the order given.
pub(crate) async fn verify_dirs(dirs: Vec<PathBuf>, cx: &Context) -> Result<Vec<Report>> {
    let verify = |dir: PathBuf| async move { verify_dir(&dir, cx).await };
    stream::iter(dirs).map(verify).buffered(cx.pool().threads().max(1)).try_collect().await
}

/// Verifies the block in a folder, its index beside its chunks and these in parts.
pub(crate) async fn verify_dir(dir: &Path, cx: &Context) -> Result<Report> {
    let block = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let path = dir.to_owned();
    let verification = match cx.run(move || Files::open(&path).map(Verification::new)).await? {
        Ok(verification) => Arc::new(verification),
        Err(e) => {
            let findings = Findings { problems: vec![e], ..Findings::default() };
            return Ok(Report { block, meta: None, findings });
        }
    };
    let threads = cx.pool().threads().max(1);
    let samples = |part| {
        let verification = Arc::clone(&verification);
        cx.run(move || verification.samples(part))
    };
    let samples = stream::iter(verification.parts(threads * PARTS_A_THREAD)).map(samples).buffered(threads);
    let index = Arc::clone(&verification);
    let (index, samples) =
        futures::future::try_join(cx.run(move || index.index()), samples.try_collect::<Vec<_>>()).await?;
    let mut findings = verification.finish(index, samples);
    let meta = verification.meta().cloned();
    if let (Some(id), Some(meta)) = (block_id(dir), &meta)
        && id != meta.ulid
    {
        findings
            .problems
            .push(Corrupt::new(0, format!("ulid is {}, the folder is {id}", meta.ulid)).within("meta.json", 0));
    }
    Ok(Report { block, meta, findings })
}

/// Prints the reports.
///
/// # Errors
/// When a block is damaged, or the report cannot be written.
pub(crate) fn finish(reports: &[Report], output: Output) -> Result<()> {
    print(|out| match output {
        Output::Text => write_text(reports, out),
        Output::Json => writeln!(out, "{}", to_json(reports)),
    })?;
    let damaged = reports.iter().filter(|r| !r.findings.is_sound()).count();
    if damaged > 0 {
        bail!("{damaged} of {} blocks are damaged", reports.len());
    }
    Ok(())
}

fn write_text(reports: &[Report], out: &mut dyn Write) -> std::io::Result<()> {
    let mut rows =
        table(&["BLOCK", "FROM", "UNTIL", "LEVEL", "RESOLUTION", "SERIES", "CHUNKS", "SAMPLES", "SIZE", "STATE"]);
    for report in reports {
        let meta = report.meta.as_ref();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let findings = &report.findings;
        rows.add_row([
            report.block.clone(),
            or_dash(meta.map(|m| time(m.min_time))),
            or_dash(meta.map(|m| time(m.max_time))),
            or_dash(meta.map(|m| m.compaction.level.to_string())),
            or_dash(meta.map(|m| format!("{}s", m.resolution_ms() / 1000))),
            findings.series.to_string(),
            findings.chunks.to_string(),
            findings.samples.to_string(),
            bytes(findings.bytes),
            if findings.is_sound() { "sound".to_owned() } else { format!("{} problems", report.problems()) },
        ]);
    }
    writeln!(out, "{rows}")?;
    for report in reports {
        for problem in &report.findings.problems {
            writeln!(out, "{}/{problem}", report.block)?;
        }
        if report.findings.omitted > 0 {
            writeln!(out, "{}: {} more problems", report.block, report.findings.omitted)?;
        }
    }
    for (a, b) in overlaps(reports) {
        writeln!(out, "note: {} and {} of one group overlap in time", a.block, b.block)?;
    }
    Ok(())
}

pub(crate) fn to_json(reports: &[Report]) -> Value {
    let problem = |p: &Corrupt| json!({"file": p.file, "offset": p.offset, "what": p.what});
    let block = |r: &Report| {
        json!({
            "block": r.block,
            "min_time": r.meta.as_ref().map(|m| m.min_time),
            "max_time": r.meta.as_ref().map(|m| m.max_time),
            "level": r.meta.as_ref().map(|m| m.compaction.level),
            "resolution_ms": r.meta.as_ref().map(BlockMeta::resolution_ms),
            "series": r.findings.series,
            "chunks": r.findings.chunks,
            "samples": r.findings.samples,
            "bytes": r.findings.bytes,
            "sound": r.findings.is_sound(),
            "problems": r.findings.problems.iter().map(problem).collect::<Vec<_>>(),
            "problems_omitted": r.findings.omitted,
        })
    };
    let overlaps: Vec<_> = overlaps(reports).into_iter().map(|(a, b)| json!([a.block, b.block])).collect();
    json!({
        "blocks": reports.iter().map(block).collect::<Vec<_>>(),
        "damaged": reports.iter().filter(|r| !r.findings.is_sound()).count(),
        "overlaps": overlaps,
    })
}

/// Neighbours of one group (external labels and resolution) that share time: fine while one is being
/// compacted into the other.
fn overlaps(reports: &[Report]) -> Vec<(&Report, &Report)> {
    let mut blocks: Vec<_> = reports.iter().filter_map(|r| r.meta.as_ref().map(|m| (m, r))).collect();
    let group = |m: &BlockMeta| (m.thanos.as_ref().map(|t| t.labels.clone()), m.resolution_ms());
    blocks.sort_by_cached_key(|(m, _)| (group(m), m.min_time, m.max_time));
    let mut found = Vec::new();
    let mut last: Option<(&BlockMeta, &Report)> = None;
    for (meta, report) in blocks {
        match last {
            Some((before, other)) if group(before) == group(meta) => {
                if meta.min_time < before.max_time {
                    found.push((other, report));
                }
                if meta.max_time > before.max_time {
                    last = Some((meta, report));
                }
            }
            _ => last = Some((meta, report)),
        }
    }
    found
}
