//! Prometheus' own tool on blocks that Esker wrote.

use std::path::Path;
use std::process::Command;

use block::BlockMeta;
use e2e::process::{Process, esker, free_port, prometheus, say};
use e2e::tier::write_config;

/// Copies the blocks of a bucket.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (path, name) = entry.map(|e| (e.path(), e.file_name()))?;
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Runs promtool and gives what it prints, which must not end in an error.
fn run(promtool: &Path, args: &[&str]) -> String {
    let out = Command::new(promtool).args(args).output().expect("promtool runs");
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "promtool {args:?}: {text}");
    text
}

/// The metas of all blocks of a bucket that is a folder.
fn metas(bucket: &Path) -> Vec<BlockMeta> {
    let entries = std::fs::read_dir(bucket).expect("a folder").map(|e| e.expect("an entry").path());
    let metas = entries.filter_map(|dir| std::fs::read(dir.join("meta.json")).ok());
    metas.map(|bytes| BlockMeta::parse(&bytes).expect("a meta")).collect()
}

#[test]
fn promtool_lists_and_analyzes_merged_blocks() {
    let (Some(promtool), Some(fleet)) = (prometheus("promtool"), golden::bucket("fleet/bucket")) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let bucket = dir.path().join("bucket");
    copy(&fleet, &bucket).expect("copies the bucket");
    let yaml = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", bucket.display());
    let config = write_config(dir.path(), "bucket.yml", &yaml).expect("writes the configuration");
    let http = format!("127.0.0.1:{}", free_port());
    let args = [
        "compact".to_owned(),
        format!("--http-address={http}"),
        format!("--objstore.config-file={}", config.display()),
        format!("--data-dir={}", dir.path().join("compact").display()),
        "--consistency-delay=0s".to_owned(),
        "--delete-delay=0s".to_owned(),
        "--downsampling.disable".to_owned(),
    ];
    let mut compact = Process::start(esker(), "compact", dir.path(), http, &args).expect("starts");
    assert_eq!(compact.wait_end().expect("it ends"), Some(0), "{}", compact.output());

    let version = run(&promtool, &["--version"]);
    say(version.lines().next().unwrap_or_default());
    let folder = bucket.to_str().expect("a path in UTF-8");
    let list = run(&promtool, &["tsdb", "list", folder]);
    let metas: Vec<BlockMeta> = metas(&bucket).into_iter().filter(|m| m.compaction.level > 1).collect();
    assert!(metas.len() >= 3, "a merged block for each source");
    for meta in metas {
        let id = meta.ulid.to_string();
        let stats = &meta.stats;
        let row = list.lines().find(|line| line.starts_with(&id)).unwrap_or_else(|| panic!("{id} is not in {list}"));
        let columns: Vec<&str> = row.split_whitespace().collect();
        let counts = [stats.num_samples, stats.num_chunks, stats.num_series].map(|n| n.to_string());
        assert!(counts.iter().all(|n| columns.contains(&n.as_str())), "{row}, not {counts:?}");
        let analysis = run(&promtool, &["tsdb", "analyze", "--extended", folder, &id]);
        let series = format!("Series: {}", stats.num_series);
        assert!(analysis.lines().any(|line| line.ends_with(&series)), "{series} is not in: {analysis}");
    }
}
