//! Access to the recorded truth for tests: unpacks the golden buckets once, reads the JSON lines, and
//! compares answers by the differences that count.
//!
//! The data lies in `../shared` beside the checkout, or where `ESKER_SHARED` points. Without it every
//! function gives `None`, and the test says aloud that it is skipped.

pub mod compare;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder with `golden/` and `promqltest/` in it.
#[must_use]
pub fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = std::env::var_os("ESKER_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    if path.join("golden").is_dir() {
        return Some(path.canonicalize().unwrap_or(path));
    }
    say(&format!("SKIPPED: no golden data at {}; set ESKER_SHARED", path.display()));
    None
}

/// The bucket of an archive, unpacked once below `target/golden`: e.g. `bucket("fleet/bucket")`,
/// `bucket("long/bucket_raw")`. Read-only by agreement: copy it before changing anything.
#[must_use]
pub fn bucket(archive: &str) -> Option<PathBuf> {
    let source = shared()?.join("golden").join(format!("{archive}.tar.zst"));
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/golden").join(archive);
    if !target.is_dir() {
        let parent = target.parent().expect("has a parent");
        std::fs::create_dir_all(parent).expect("create target/golden");
        // Unpacked aside and renamed, so that tests running side by side never see half a bucket.
        let aside = parent.join(format!(".unpack-{}-{}", std::process::id(), archive.replace('/', "-")));
        std::fs::create_dir_all(&aside).expect("create the folder to unpack into");
        let status = Command::new("tar").arg("--zstd").arg("-xf").arg(&source).arg("-C").arg(&aside).status();
        assert!(status.is_ok_and(|s| s.success()), "tar --zstd could not unpack {}", source.display());
        if std::fs::rename(&aside, &target).is_err() {
            let _gone = std::fs::remove_dir_all(&aside);
        }
    }
    // The archives hold one folder, `bucket`.
    let inner = target.join("bucket");
    Some(if inner.is_dir() { inner } else { target })
}

/// The lines of a recorded file, e.g. `lines("fleet/query.jsonl.zst")`, each parsed as JSON.
#[must_use]
pub fn lines(file: &str) -> Option<Vec<serde_json::Value>> {
    let path = shared()?.join("golden").join(file);
    let text = if file.ends_with(".zst") {
        let output = Command::new("zstd").arg("-dcq").arg(&path).stderr(Stdio::inherit()).output().expect("run zstd");
        assert!(output.status.success(), "zstd could not read {}", path.display());
        String::from_utf8(output.stdout).expect("recorded files are UTF-8")
    } else {
        std::fs::read_to_string(&path).expect("read a recorded file")
    };
    Some(text.lines().map(|l| serde_json::from_str(l).expect("a recorded line is JSON")).collect())
}

/// Prints even under the test harness' capture of standard output.
fn say(text: &str) {
    use std::io::Write;
    let _written = writeln!(std::io::stderr(), "{text}");
}
