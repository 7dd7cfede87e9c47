//! Prometheus' own scripts with one expectation changed: each has to fail, whatever the expectation is of.

#[path = "mutations/block.rs"]
mod block;
#[path = "mutations/line.rs"]
mod line;

use std::collections::BTreeMap;

use block::{blocks, mutants};
use promqltest::Tester;

/// How many changes of a kind are tried in a script.
const PER_KIND: u32 = 60;

#[test]
fn one_changed_expectation_fails_the_script() {
    let Some(shared) = golden::shared() else { return };
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut survivors = Vec::new();
    for entry in std::fs::read_dir(shared.join("promqltest")).expect("the scripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "test") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a script");
        // What has to be loaded for the evals that follow.
        let mut loaded = String::new();
        let mut done: BTreeMap<&str, u32> = BTreeMap::new();
        for (at, block) in blocks(&text) {
            match block[0].split([' ', '\t']).next().unwrap_or_default() {
                "clear" => loaded.clear(),
                word if word.starts_with("load") => loaded.push_str(&format!("{}\n\n", block.join("\n"))),
                _ => {
                    for (kind, mutant) in mutants(&block) {
                        let done = done.entry(kind).or_default();
                        if *done == PER_KIND {
                            continue;
                        }
                        *done += 1;
                        *counts.entry(kind).or_default() += 1;
                        let script = format!("{loaded}{}\n", mutant.join("\n"));
                        let well_formed = promqltest::parse(&script).iter().all(Result::is_ok);
                        let report = Tester::default().run(&script);
                        let should_pass = kind == "none";
                        if !well_formed || report.is_success() != should_pass {
                            let place = format!("{}:{}", path.display(), at + 1);
                            survivors.push(format!("{place}: {kind}: {report}\n{}", mutant.join("\n")));
                        }
                    }
                }
            }
        }
    }
    assert!(
        survivors.is_empty(),
        "{} survive:\n{}",
        survivors.len(),
        survivors[..survivors.len().min(20)].join("\n\n")
    );
    for kind in block::KINDS {
        assert!(counts.contains_key(kind), "nothing of {kind} was changed: {counts:?}");
    }
    let total: u32 = counts.values().sum();
    assert!(total > 3_000, "{total} in all: {counts:?}");
}
