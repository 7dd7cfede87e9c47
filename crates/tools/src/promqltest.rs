//! `esker tools promqltest FILE…`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use promqltest::Tester;

/// Which scripts.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Files in the language of Prometheus' promqltest.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs each script from an empty storage, with every parser option on, and prints what fails.
///
/// # Errors
/// When a file cannot be read, or when anything failed.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for file in &args.files {
        let path = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("read {path}"))?;
        let report = Tester::default().run(&text);
        for failure in &report.failures {
            writeln!(out, "{path}:{}: {}", failure.line, failure.message)?;
        }
        passed += report.passed;
        failed += report.failures.len();
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    anyhow::ensure!(failed == 0, "{failed} of {} evaluations failed", passed + failed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Args, run};

    #[test]
    fn counts_and_shows_failures() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.test");
        std::fs::write(&file, "eval instant at 1m 1 + 1\n  2\n\neval instant at 1m 1 + 1\n  3\n").expect("write");
        let mut out = Vec::new();
        let error = run(&Args { files: vec![file.clone()] }, &mut out).expect_err("one fails");
        let out = String::from_utf8(out).expect("text");
        let expected =
            format!("{}:4: 1 + 1: expected scalar 3 but got 2\n    - 3\n    + 2\n1 passed, 1 failed\n", file.display());
        assert_eq!((out, error.to_string()), (expected, "1 of 2 evaluations failed".to_owned()));
    }
}
