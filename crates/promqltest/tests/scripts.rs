//! Prometheus' own scripts. What cannot pass yet is counted here, file by file, so that it only gets less.

use promqltest::Tester;

/// How many `eval` commands of a script may fail, and why.
const MISSING: &[(&str, usize, &str)] = &[
    ("extended_vectors.test", 45, "anchored and smoothed native histograms are not there yet"),
    ("info.test", 1, "an info series of native histograms is not refused"),
    ("native_histograms.test", 9, "selectors below histogram_count do not look for resets"),
    ("start_timestamps.test", 23, "start timestamps are not there yet"),
];

#[test]
fn prometheus_scripts_pass() {
    let Some(shared) = golden::shared() else { return };
    let folder = shared.join("promqltest");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the scripts")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 21);
    let mut wrong = Vec::new();
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).expect("a script");
        let report = Tester::default().run(&text);
        let allowed = MISSING.iter().find(|(n, ..)| *n == name).map_or(0, |(_, failures, _)| *failures);
        assert_eq!(report.passed + report.failures.len(), evals(&text), "{name} runs every eval");
        if report.failures.len() > allowed {
            wrong.push(format!("{name}: {} fail, not {allowed}\n{report}", report.failures.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn evals(text: &str) -> usize {
    text.lines().filter(|line| line.trim_start().to_ascii_lowercase().starts_with("eval")).count()
}
