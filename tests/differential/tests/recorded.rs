//! Answers that Prometheus gave, without it: data and queries follow from the seed of each record.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use differential::blocks::{self, Blocks};
use differential::compare::{difference, is_ordered};
use differential::{data, esker, recorded};
use engine::{Rewrite, Rewrites, Settings};
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
fn answers_do_not_depend_on_the_number_of_threads() {
    let mut sources: HashMap<u64, Source> = HashMap::new();
    let pools: [Arc<dyn CpuPool>; 2] = [2, 7].map(|n| Arc::new(esker::Threads::new(n)) as Arc<dyn CpuPool>);
    let alone: Arc<dyn CpuPool> = Arc::new(InlinePool);
    for record in &records() {
        let source = &sources.entry(record.seed).or_insert_with(|| Source::new(record.seed)).blocks;
        let answer = |pool| esker::bits(&record.query, source, Settings::default(), pool);
        let expected = answer(&alone);
        for pool in &pools {
            assert_eq!(answer(pool), expected, "{} at {:?}", record.query.text, record.query.when);
        }
    }
}

#[test]
fn rewrites_change_no_answer() {
    let mut sources: HashMap<u64, Source> = HashMap::new();
    let pool: Arc<dyn CpuPool> = Arc::new(InlinePool);
    let mut sets = vec![Rewrites::none()];
    sets.extend(Rewrite::ALL.iter().map(|&rewrite| Rewrites::default().without(rewrite)));
    for record in &records() {
        let source = &sources.entry(record.seed).or_insert_with(|| Source::new(record.seed)).blocks;
        let answer = |rewrites| {
            let settings = Settings { rewrites, ..Settings::default() };
            esker::bits(&record.query, source, settings, &pool)
        };
        let expected = answer(Rewrites::default());
        for &rewrites in &sets {
            assert_eq!(answer(rewrites), expected, "{} at {:?}, {rewrites:?}", record.query.text, record.query.when);
        }
    }
}
