//! Where the series, the churn and the bytes of a block are.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use block::{BlockReader, Corrupt, Encoding, SeriesEntry, chunk};
use model::METRIC_NAME;
use serde::Serialize;

use crate::report::{Output, bytes, table, time};

/// A chunk that is filled has so many samples.
const FULL: usize = chunk::SAMPLES_PER_CHUNK;

/// What a block is made of.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Analysis {
    pub(crate) block: String,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) series: u64,
    pub(crate) label_names: u64,
    pub(crate) label_pairs: u64,
    pub(crate) symbols: u64,
    pub(crate) chunks: u64,
    pub(crate) samples: u64,
    pub(crate) index_bytes: u64,
    pub(crate) chunk_bytes: u64,
    /// Chunks by encoding.
    pub(crate) encodings: BTreeMap<String, u64>,
    /// Chunks by samples in tenths of a full one; the last also of fuller ones.
    pub(crate) chunk_fill: [u64; 11],
    /// Series by name and value of a label, most first.
    pub(crate) series_by_pair: Vec<Row>,
    /// Label names by how many values they have, most first.
    pub(crate) values_by_name: Vec<Row>,
    /// Series by metric, most first.
    pub(crate) series_by_metric: Vec<Row>,
    /// Bytes of chunks by metric, most first.
    pub(crate) bytes_by_metric: Vec<Row>,
    /// Label pairs by the time that their series do not cover, in series that came and went, most first.
    pub(crate) churn_by_pair: Vec<Row>,
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) count: f64,
}

/// # Errors
/// When the block is damaged where it is read.
pub(crate) fn analyze(dir: &Path, limit: usize) -> Result<Analysis, Corrupt> {
    let block = BlockReader::open(dir)?;
    let mut analysis = Analysis {
        block: dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        min_time: block.meta.min_time,
        max_time: block.meta.max_time,
        symbols: block.index.symbol_count()? as u64,
        index_bytes: block.index.bytes().len() as u64,
        chunk_bytes: block.chunks.segments().iter().map(|s| s.len() as u64).sum(),
        ..Analysis::default()
    };
    let span = (block.meta.max_time - block.meta.min_time).max(1) as f64;
    let mut pairs: HashMap<(u32, u32), (u64, f64)> = HashMap::new();
    let mut metrics: HashMap<u32, (u64, u64)> = HashMap::new();
    let name_ref = block.index.symbol_ref(METRIC_NAME)?;
    let mut entry = SeriesEntry::default();
    for reference in block.index.all_postings()?.iter() {
        block.index.series(reference, &mut entry)?;
        let size = analysis.add_chunks(&block, &entry)?;
        let covered = match (entry.chunks.first(), entry.chunks.last()) {
            (Some(first), Some(last)) => (last.max_time - first.min_time) as f64,
            _ => 0.0,
        };
        analysis.series += 1;
        for &pair in &entry.labels {
            let at = pairs.entry(pair).or_default();
            *at = (at.0 + 1, at.1 + (1.0 - covered / span).max(0.0));
            if Some(pair.0) == name_ref {
                let at = metrics.entry(pair.1).or_default();
                *at = (at.0 + 1, at.1 + size);
            }
        }
    }
    let mut names: HashMap<u32, u64> = HashMap::new();
    for (name, _) in pairs.keys() {
        *names.entry(*name).or_default() += 1;
    }
    (analysis.label_pairs, analysis.label_names) = (pairs.len() as u64, names.len() as u64);
    let text = |r: u32| block.index.symbol(r).map(ToOwned::to_owned);
    let pair = |(n, v): (u32, u32)| Ok(format!("{}={}", text(n)?, text(v)?));
    analysis.series_by_pair = top(pairs.iter().map(|(k, v)| (*k, v.0 as f64)), limit, pair)?;
    analysis.churn_by_pair = top(pairs.iter().map(|(k, v)| (*k, v.1)), limit, pair)?;
    analysis.values_by_name = top(names.iter().map(|(k, v)| (*k, *v as f64)), limit, text)?;
    analysis.series_by_metric = top(metrics.iter().map(|(k, v)| (*k, v.0 as f64)), limit, text)?;
    analysis.bytes_by_metric = top(metrics.iter().map(|(k, v)| (*k, v.1 as f64)), limit, text)?;
    Ok(analysis)
}

/// The `limit` largest, equal ones in the order of their keys: symbols are sorted.
fn top<K: Copy + Ord>(
    rows: impl Iterator<Item = (K, f64)>,
    limit: usize,
    name: impl Fn(K) -> Result<String, Corrupt>,
) -> Result<Vec<Row>, Corrupt> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    rows.into_iter().take(limit).map(|(key, count)| Ok(Row { name: name(key)?, count })).collect()
}

impl Analysis {
    /// Counts a series' chunks and gives their bytes.
    fn add_chunks(&mut self, block: &BlockReader, entry: &SeriesEntry) -> Result<u64, Corrupt> {
        let mut size = 0;
        for at in &entry.chunks {
            let raw = block.chunks.chunk_unchecked(at.chunk_ref)?;
            let samples = chunk::sample_count(raw.encoding, raw.payload)?;
            size += raw.payload.len() as u64;
            self.chunks += 1;
            self.samples += u64::from(samples);
            *self.encodings.entry(encoding_name(raw.encoding).to_owned()).or_default() += 1;
            self.chunk_fill[(samples as usize * 10 / FULL).min(10)] += 1;
        }
        Ok(size)
    }

    pub(crate) fn write(&self, output: Output, out: &mut dyn Write) -> std::io::Result<()> {
        if output == Output::Json {
            return writeln!(out, "{}", serde_json::to_string(self)?);
        }
        writeln!(out, "block {} from {} to {}", self.block, time(self.min_time), time(self.max_time))?;
        let (series, chunks) = (self.series.max(1) as f64, self.chunks.max(1) as f64);
        writeln!(
            out,
            "{} series, {} label names, {} label pairs, {} symbols; index {} ({:.0} B a series)",
            self.series,
            self.label_names,
            self.label_pairs,
            self.symbols,
            bytes(self.index_bytes),
            self.index_bytes as f64 / series,
        )?;
        writeln!(
            out,
            "{} chunks, {} samples ({:.1} a chunk); chunks {} ({:.2} B a sample)",
            self.chunks,
            self.samples,
            self.samples as f64 / chunks,
            bytes(self.chunk_bytes),
            self.chunk_bytes as f64 / self.samples.max(1) as f64,
        )?;
        let encodings: Vec<_> = self.encodings.iter().map(|(name, n)| format!("{name} {n}")).collect();
        writeln!(out, "encodings: {}", encodings.join(", "))?;
        let mut fill = table(&["SAMPLES A CHUNK", "CHUNKS"]);
        for (i, n) in self.chunk_fill.iter().enumerate().filter(|(_, n)| **n > 0) {
            let (from, to) = (i * FULL / 10, (i + 1) * FULL / 10 - 1);
            fill.add_row([if i == 10 { format!("{FULL} and more") } else { format!("{from} to {to}") }, n.to_string()]);
        }
        writeln!(out, "\n{fill}")?;
        let lists = [
            ("LABEL PAIR", "SERIES", &self.series_by_pair),
            ("LABEL NAME", "VALUES", &self.values_by_name),
            ("METRIC", "SERIES", &self.series_by_metric),
            ("METRIC", "CHUNK BYTES", &self.bytes_by_metric),
            ("LABEL PAIR", "CHURN (SERIES NOT THERE)", &self.churn_by_pair),
        ];
        for (name, count, rows) in lists {
            let mut list = table(&[name, count]);
            for row in rows.iter() {
                list.add_row([row.name.clone(), format!("{:.*}", usize::from(row.count.fract() != 0.0), row.count)]);
            }
            writeln!(out, "\n{list}")?;
        }
        Ok(())
    }
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Xor => "XOR",
        Encoding::Histogram => "histogram",
        Encoding::FloatHistogram => "float histogram",
        Encoding::Xor2 => "XOR2",
        Encoding::HistogramSt => "histogram with start timestamps",
        Encoding::FloatHistogramSt => "float histogram with start timestamps",
        Encoding::Aggregates => "aggregates",
        _ => "other",
    }
}
