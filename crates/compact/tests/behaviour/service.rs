//! The service: its flags, one run, its metrics.

use std::ffi::OsString;

use bucket::Bucket;
use clap::{Args as _, Command, FromArgMatches};
use compact::{Args, INERT, run};
use daemon::flags::{COMMON_INERT, accept_inert, parse, report_inert};
use daemon::{Settings, Shell};

use crate::bed::{contents, id, look, ramp, upload};

fn args(flags: &[&str]) -> anyhow::Result<Args> {
    let command = Args::augment_args(Command::new("compact"));
    let command = accept_inert(accept_inert(command, COMMON_INERT), INERT);
    let argv = ["compact"].iter().chain(flags).map(OsString::from);
    let matches = parse(command, argv)?;
    report_inert(&matches, INERT)?;
    Ok(Args::from_arg_matches(&matches)?)
}

#[test]
fn flags_of_thanos_manifests() {
    // As on Kubernetes with MinIO.
    let manifest =
        args(&["--data-dir=/data", "--objstore.config-file=/etc/secret/thanos.yaml", "--wait"]).expect("valid");
    assert!(manifest.wait && !manifest.downsampling_disable);
    let settings = manifest.settings().expect("valid");
    assert_eq!(settings.delete_delay.as_secs(), 48 * 3600);
    assert_eq!(settings.consistency_delay.as_secs(), 30 * 60);
    assert_eq!(settings.index_bytes_max, 64 << 30);
    assert_eq!(settings.ranges_ms.len(), 5);
    assert!(settings.replica_labels.is_empty());
    // As kube-thanos has it, and everything else that Thanos takes.
    let all = args(&[
        "--wait",
        "--objstore.config=type: FILESYSTEM",
        "--data-dir=/var/thanos/compact",
        "--debug.accept-malformed-index",
        "--retention.resolution-raw=30d",
        "--retention.resolution-5m=120d",
        "--retention.resolution-1h=1y",
        "--delete-delay=2d",
        "--compact.concurrency=2",
        "--downsample.concurrency=1",
        "--downsampling.disable",
        "--no-debug.halt-on-error",
        "--consistency-delay=1h30m",
        "--wait-interval=10m",
        "--block-discovery-strategy=recursive",
        "--block-meta-fetch-concurrency=8",
        "--block-files-concurrency=2",
        "--compact.blocks-fetch-concurrency=2",
        "--compact.cleanup-interval=0s",
        "--compact.progress-interval=0s",
        "--compact.enable-vertical-compaction",
        "--compact.skip-block-with-out-of-order-chunks",
        "--deduplication.replica-label=replica,rule_replica",
        "--deduplication.replica-label=receive",
        "--hash-func=SHA256",
        "--min-time=-2w",
        "--max-time=2026-01-01T00:00:00Z",
        "--web.external-prefix=/x",
        "--bucket-web-label=cluster",
        "--selector.relabel-config=",
    ]);
    let settings = all.expect("valid").settings().expect("valid");
    assert_eq!(settings.retention.one_hour.as_secs(), 365 * 86_400);
    assert_eq!(settings.replica_labels, ["replica", "rule_replica", "receive"]);
}

#[test]
fn flags_that_cannot_be_kept_are_refused() {
    let check = |flags: &[&str], says: &str| {
        let message = match args(flags) {
            Ok(args) => args.settings().expect_err(says).to_string(),
            Err(e) => e.to_string(),
        };
        assert!(message.contains(says), "{message:?} does not say {says:?}");
    };
    check(&["--deduplication.func=penalty"], "--deduplication.func=penalty");
    check(&["--selector.relabel-config=- action: labeldrop"], "unsupported relabel action: labeldrop");
    check(&["--debug.max-compaction-level=5"], "at most 4");
    check(&["--compact.concurrency=0"], "above 0");
    check(&["--consistency-delay=2d"], "2d");
    check(&["--no-such-flag"], "no-such-flag");
}

/// A bucket in a folder with two overlapping blocks, and the arguments to compact it once.
async fn service(extra: &[&str]) -> (tempfile::TempDir, Bucket, Args) {
    let dir = tempfile::tempdir().expect("temp dir");
    let root = dir.path().join("bucket");
    let bucket = Bucket::filesystem(&root).expect("create");
    upload(&bucket, id(1), "a", (0, 20), &[("one", ramp(0, 20, 0.0))]).await;
    upload(&bucket, id(2), "a", (10, 30), &[("one", ramp(10, 30, 0.0))]).await;
    let config = format!("--objstore.config={{type: filesystem, config: {{directory: {}}}}}", root.display());
    let data = format!("--data-dir={}", dir.path().join("data").display());
    let mut flags = vec!["--http-address=127.0.0.1:0", "--consistency-delay=0s", &config, &data];
    flags.extend(extra);
    let args = args(&flags).expect("valid");
    (dir, bucket, args)
}

#[tokio::test(flavor = "multi_thread")]
async fn once() {
    let (_dir, bucket, args) = service(&["--delete-delay=0s"]).await;
    let shell = Shell::new("compact", Settings::default()).expect("shell");
    run(args, shell.clone()).await.expect("runs");
    assert_eq!(look(&bucket).await.blocks.len(), 1);
    assert_eq!(contents(&bucket).await.len(), 30);
    let metrics = shell.metrics().text();
    for line in [
        "thanos_compact_group_compactions_total{resolution=\"0\"} 1",
        "thanos_compact_group_vertical_compactions_total{resolution=\"0\"} 1",
        "thanos_compact_iterations_total 1",
        "thanos_compact_blocks_cleaned_total 2",
        "thanos_compact_blocks_marked_total{marker=\"deletion-mark.json\",reason=\"\"} 2",
        "thanos_compact_halted 0",
        "thanos_blocks_meta_synced{state=\"loaded\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    shell.shutdown().cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_block_ends_a_single_run_with_an_error() {
    let (_dir, bucket, args) = service(&[]).await;
    let index = bucket.local_path(id(1), bucket::BlockFile::Index).expect("local");
    std::fs::write(index, "damaged").expect("write");
    let shell = Shell::new("compact", Settings::default()).expect("shell");
    let message = run(args, shell.clone()).await.expect_err("a group failed").to_string();
    assert!(message.contains(&id(1).to_string()) && message.contains("index"), "{message}");
    shell.shutdown().cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_until_the_shutdown() {
    let (_dir, bucket, args) = service(&["--wait", "--delete-delay=0s"]).await;
    let shell = Shell::new("compact", Settings::default()).expect("shell");
    let running = run(args, shell.clone());
    let merged = async {
        while look(&bucket).await.blocks.len() != 1 {
            tokio::task::yield_now().await;
        }
        shell.shutdown().cancel();
    };
    let (ran, ()) = tokio::join!(running, merged);
    ran.expect("a graceful end");
}
