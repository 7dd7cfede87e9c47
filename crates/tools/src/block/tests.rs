use std::fs;
use std::path::{Path, PathBuf};

use bucket::Bucket;
use request::Context;

use super::*;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("chunks")).expect("create");
    for name in ["meta.json", "index", "chunks/000001"] {
        fs::copy(from.join(name), to.join(name)).expect("copy");
    }
}

/// A bucket with two blocks of the fleet, the second damaged in `file`.
fn two_blocks(dir: &Path, file: &str) -> Option<Vec<PathBuf>> {
    let fleet = golden::bucket("fleet/bucket")?;
    let mut blocks = Vec::new();
    for source in block_dirs(&[fleet]).expect("blocks").iter().take(2) {
        let target = dir.join(source.file_name().expect("a name"));
        copy(source, &target);
        blocks.push(target);
    }
    let path = blocks[1].join(file);
    let mut bytes = fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("write");
    Some(blocks)
}

#[tokio::test]
async fn a_damaged_block_is_reported_beside_a_sound_one() {
    let cx = Context::inline(0);
    for file in ["index", "chunks/000001"] {
        let dir = tempfile::tempdir().expect("a folder");
        if two_blocks(dir.path(), file).is_none() {
            return;
        }
        let dirs = block_dirs(&[dir.path().to_owned()]).expect("blocks");
        let reports = verify::verify_dirs(dirs, &cx).await.expect("runs");
        let sound: Vec<_> = reports.iter().map(|r| r.findings.is_sound()).collect();
        assert_eq!(sound, [true, false]);
        let json = verify::to_json(&reports);
        assert_eq!(json["damaged"], 1);
        assert_eq!(json["blocks"][1]["problems"][0]["file"], file);
        assert!(verify::finish(&reports, Output::Json).is_err());
    }
}

#[tokio::test]
async fn a_bucket_gives_the_same_report_through_its_files_and_through_its_objects() {
    let cx = Context::inline(0);
    let (dir, scratch) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let Some(blocks) = two_blocks(dir.path(), "index") else { return };
    let bucket = Bucket::filesystem(dir.path()).expect("a bucket");
    let mut reports = Vec::new();
    for bucket in [bucket.clone(), bucket.without_shortcuts()] {
        let all = crate::bucket::verify_bucket(&bucket, &[], 2, scratch.path().to_owned(), &cx).await.expect("runs");
        reports.push(verify::to_json(&all));
    }
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0]["blocks"].as_array().map(Vec::len), Some(2));
    assert_eq!(fs::read_dir(scratch.path()).expect("read").count(), 0, "nothing is left behind");
    // A block marked for deletion is not looked at.
    fs::write(blocks[1].join("deletion-mark.json"), "{}").expect("write");
    let bucket = Bucket::filesystem(dir.path()).expect("a bucket");
    let all = crate::bucket::verify_bucket(&bucket, &[], 2, scratch.path().to_owned(), &cx).await.expect("runs");
    assert_eq!(all.len(), 1);
}

#[test]
fn a_dump_has_every_sample_of_the_series_asked_for() {
    let Some(fleet) = golden::bucket("fleet/bucket") else { return };
    let dir = &block_dirs(&[fleet]).expect("blocks")[0];
    let dump = |output, max_time| {
        let options = dump::Options::new(Some("constant_value{job=\"api\"}"), i64::MIN, max_time, output);
        let mut out = Vec::new();
        dump::dump(dir, &options.expect("a selector"), &mut out).expect("dumps");
        String::from_utf8(out).expect("text")
    };
    let text = dump(Output::Text, i64::MAX);
    assert!(text.starts_with("{__name__=\"constant_value\", "), "{}", text.lines().next().unwrap_or_default());
    let json = dump(Output::Json, i64::MAX);
    let series: Vec<serde_json::Value> = json.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
    let samples: usize = series.iter().map(|s| s["samples"]["raw"].as_array().map_or(0, Vec::len)).sum();
    assert!(samples > 0);
    assert_eq!(text.lines().count(), samples);
    let first = series[0]["samples"]["raw"][0][0].as_i64().expect("a time");
    assert_eq!(dump(Output::Text, first).lines().filter(|l| l.ends_with(&first.to_string())).count(), 1);
}

#[test]
fn an_analysis_counts_what_the_meta_says() {
    let Some(fleet) = golden::bucket("fleet/bucket") else { return };
    let dir = &block_dirs(&[fleet]).expect("blocks")[0];
    let stats = ::block::BlockReader::open(dir).expect("opens").meta.stats;
    let analysis = analyze::analyze(dir, 5).expect("sound");
    assert_eq!(
        (analysis.series, analysis.chunks, analysis.samples),
        (stats.num_series, stats.num_chunks, stats.num_samples)
    );
    assert_eq!(analysis.chunk_fill.iter().sum::<u64>(), stats.num_chunks);
    assert_eq!(analysis.series_by_pair.len(), 5);
    assert!(analysis.series_by_pair.is_sorted_by(|a, b| a.count >= b.count));
    for output in [Output::Text, Output::Json] {
        let mut out = Vec::new();
        analysis.write(output, &mut out).expect("writes");
        assert!(!out.is_empty());
    }
}
