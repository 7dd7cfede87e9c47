//! A sidecar that is killed again and again in the middle of its uploads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::fixture::{self, BLOCKS, History, PAIR};
use e2e::tier::{self, Component, sidecar_args, write_config};

use crate::s3::{BUCKET, S3Server, SECRET_KEY};

const KILLS: u64 = 10;

#[test]
fn after_any_kill_every_block_is_there_once_and_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let history = History::recent();
    let Some(data) = fixture::write_blocks(dir.path(), history, PAIR[0]).expect("blocks") else { return };
    let server = S3Server::start_slow(&dir.path().join("s3"), Duration::from_millis(15));
    let bucket = dir.path().join("s3").join(BUCKET);
    let yaml = server.config(SECRET_KEY, BUCKET);
    let config = write_config(dir.path(), "bucket.yml", &yaml).expect("write the configuration");
    let labels = "{cluster: e2e, replica: a}";
    let Some(prometheus) = fixture::start(dir.path(), "a", data.clone(), labels, &[]).expect("a Prometheus") else {
        return;
    };

    // A fixed seed: the moments are arbitrary, not random from run to run.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..KILLS {
        let args = sidecar_args(&prometheus, &config);
        let mut sidecar =
            Component::ready("sidecar", &format!("sidecar-{round}"), dir.path(), &args).expect("a sidecar");
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (start, wait) = (Instant::now(), Duration::from_millis(state % 60));
        while start.elapsed() < wait {
            check_no_partial_block(&bucket);
            std::thread::sleep(Duration::from_millis(1));
        }
        sidecar.process.kill();
        check_no_partial_block(&bucket);
    }

    let args = sidecar_args(&prometheus, &config);
    let sidecar = Component::ready("sidecar", "sidecar-last", dir.path(), &args).expect("a sidecar");
    let blocks = fixture::blocks(&data).expect("the TSDB");
    assert_eq!(i64::try_from(blocks.len()), Ok(BLOCKS));
    tier::wait_uploaded(&bucket, blocks.len(), &[&sidecar.process]).expect("uploads");
    let names: BTreeSet<String> =
        blocks.iter().filter_map(|b| Some(b.file_name()?.to_string_lossy().into_owned())).collect();
    assert_eq!(tier::uploaded(&bucket).expect("the bucket"), names);
    for block in &blocks {
        same_files(block, &bucket.join(block.file_name().expect("a block has a name")));
    }
}

/// A block whose meta.json is there has all its other files.
fn check_no_partial_block(bucket: &Path) {
    for name in tier::uploaded(bucket).expect("the bucket") {
        let block = bucket.join(&name);
        assert!(block.join("index").is_file(), "{name} is visible without its index");
        assert!(block.join("chunks/000001").is_file(), "{name} is visible without its chunks");
    }
}

/// Index and chunks as Prometheus wrote them.
fn same_files(local: &Path, uploaded: &Path) {
    let mut files: Vec<PathBuf> = vec!["index".into()];
    for entry in std::fs::read_dir(local.join("chunks")).expect("chunks") {
        files.push(Path::new("chunks").join(entry.expect("an entry").file_name()));
    }
    for file in files {
        let (want, got) = (std::fs::read(local.join(&file)), std::fs::read(uploaded.join(&file)));
        assert!(want.expect("a local file") == got.expect("an uploaded file"), "{} differs", file.display());
    }
}
