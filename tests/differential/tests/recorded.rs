//! Answers that Prometheus gave, without it: data and queries follow from the seed of each record.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use differential::blocks::{self, Blocks};
use differential::compare::{difference, is_ordered};
use differential::identity::Ways;
use differential::{data, esker, recorded};
use engine::Settings;
use request::{CpuPool, InlinePool};

/// The blocks of a seed, in a folder that goes with them.
struct Source {
    blocks: Blocks,
    _folder: tempfile::TempDir,
}

impl Source {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        blocks::write(folder.path(), &data::generate(seed)).expect("blocks are written");
        Self { blocks: Blocks::open(folder.path()).expect("blocks are read"), _folder: folder }
    }
}

fn records() -> Vec<recorded::Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("answers.jsonl.zst");
    recorded::read(&path).expect("the recorded answers")
}

#[test]
fn answers_are_prometheus_own() {
    let records = records();
    assert!(records.len() >= 1000, "only {} records", records.len());
    let pool: Arc<dyn CpuPool> = Arc::new(InlinePool);
    let mut sources: HashMap<u64, Source> = HashMap::new();
    let mut wrong = Vec::new();
    for record in &records {
        let source = sources.entry(record.seed).or_insert_with(|| Source::new(record.seed));
        let got = esker::answer(&record.query, &source.blocks, Settings::default(), &pool).expect("an answer");
        if let Some(difference) = difference(&record.answer, &got, is_ordered(&record.query.text)) {
            wrong.push(format!("{} at {:?}\n  {difference}", record.query.text, record.query.when));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), records.len(), wrong.join("\n"));
}

#[test]
fn neither_threads_nor_rewrites_change_a_bit() {
    let mut sources: HashMap<u64, Source> = HashMap::new();
    let ways = Ways::default();
    for record in &records() {
        let source = &sources.entry(record.seed).or_insert_with(|| Source::new(record.seed)).blocks;
        if let Err(what) = ways.agree(&record.query, source, Settings::default()) {
            panic!("{} at {:?}, {what}", record.query.text, record.query.when);
        }
    }
}
