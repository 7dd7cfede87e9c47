//! Prometheus' own scripts.

use std::io::Write as _;

use promqltest::Tester;

#[test]
fn prometheus_scripts() {
    let Some(shared) = golden::shared() else { return };
    let mut files: Vec<_> = std::fs::read_dir(shared.join("promqltest"))
        .expect("the scripts")
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "test"))
        .collect();
    files.sort();
    let mut out = std::io::stderr();
    let only = std::env::var("SCRIPT").ok();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|o| !name.contains(o.as_str())) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a script");
        let report = Tester::default().run(&text);
        let _written = writeln!(out, "{name}: {} passed, {} failed", report.passed, report.failures.len());
        if std::env::var("SHOW").is_ok() {
            for failure in &report.failures {
                let _written = writeln!(out, "  {name}:{}: {}", failure.line, failure.message);
            }
        }
    }
}
