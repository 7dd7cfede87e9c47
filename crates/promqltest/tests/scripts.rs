//! Prometheus' own scripts, all of which pass as they are.

use promqltest::Tester;

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
    let (mut wrong, mut passed) = (Vec::new(), 0);
    for name in names {
        let text = std::fs::read_to_string(folder.join(&name)).expect("a script");
        let report = Tester::default().run(&text);
        assert_eq!(report.passed + report.failures.len(), evals(&text), "{name} runs every eval");
        passed += report.passed;
        if !report.is_success() {
            wrong.push(format!("{name}:\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(passed, 2_214);
}

fn evals(text: &str) -> usize {
    text.lines().filter(|line| line.trim_start().to_ascii_lowercase().starts_with("eval")).count()
}
