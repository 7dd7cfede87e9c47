//! The crate table of `docs/architecture.md`, asserted from the Cargo.toml files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which workspace crates each crate may depend on outside of tests.
const ALLOWED: &[(&str, &[&str])] = &[
    // L0
    ("model", &[]),
    ("request", &[]),
    // L1
    ("promql", &["model"]),
    ("proto", &[]),
    ("api", &["model", "promql", "request"]),
    // L2
    ("block", &["model"]),
    ("store", &["block", "model", "request"]),
    ("engine", &["block", "model", "promql", "request"]),
    // L3
    ("select", &["block", "engine", "model", "request", "store"]),
    ("bucket", &["block", "model"]),
    ("cache", &["daemon", "discovery"]),
    ("discovery", &[]),
    ("rpc", &["block", "daemon", "model", "proto", "request", "store"]),
    ("daemon", &["model", "request"]),
    // L4: services, never on each other
    ("gateway", &["block", "bucket", "cache", "daemon", "model", "request", "rpc", "store"]),
    ("compact", &["block", "bucket", "daemon", "model", "request"]),
    (
        "query",
        &["api", "block", "daemon", "discovery", "engine", "model", "promql", "request", "rpc", "select", "store"],
    ),
    ("sidecar", &["api", "block", "bucket", "daemon", "model", "proto", "request", "rpc", "store"]),
    ("tools", &["block", "bucket", "daemon", "engine", "model", "promql", "promqltest", "request", "rpc"]),
    // L3: the test language of Prometheus over the engine
    ("promqltest", &["block", "engine", "model", "promql", "request"]),
    // L5
    (
        "up",
        &[
            "block", "bucket", "compact", "daemon", "engine", "gateway", "model", "query", "request", "select",
            "sidecar", "store",
        ],
    ),
    ("esker", &["compact", "daemon", "gateway", "query", "sidecar", "tools", "up"]),
];

/// Crates that own no runtime, and what must therefore not stand among their dependencies.
const PURE: &[&str] = &["model", "request", "promql", "api", "block", "store", "engine", "select"];
const RUNTIMES: &[&str] = &["tokio", "tokio-util", "hyper", "reqwest", "axum", "tonic", "rayon", "object_store"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in `[dependencies]` of a crate; development dependencies do not count.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).expect("read a Cargo.toml");
    let mut section = "";
    let mut names = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            if let Some(name) = line.strip_prefix("[dependencies.") {
                names.insert(name.trim_end_matches(']').to_owned());
            }
        } else if section == "[dependencies]"
            && let Some((name, _)) = line.split_once(['.', '='])
        {
            names.insert(name.trim().to_owned());
        }
    }
    names
}

fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let folders = std::fs::read_dir(root().join("crates")).expect("list crates/");
    folders
        .map(|entry| entry.expect("an entry of crates/").path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, dependencies(&path.join("Cargo.toml")))
        })
        .collect()
}

#[test]
fn arrows_go_down_only_as_the_table_says() {
    let crates = crates();
    let mut wrong = Vec::new();
    for (name, dependencies) in &crates {
        let Some((_, allowed)) = ALLOWED.iter().find(|(n, _)| n == name) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| crates.contains_key(*d)) {
            if !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_crates_have_no_runtime() {
    let crates = crates();
    for name in PURE {
        let found: Vec<_> = RUNTIMES.iter().filter(|r| crates[*name].contains(**r)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
}

#[test]
fn services_are_reached_only_from_above() {
    let services = ["gateway", "compact", "query", "sidecar", "tools"];
    for (name, dependencies) in crates() {
        if ["up", "esker"].contains(&name.as_str()) {
            continue;
        }
        let found: Vec<_> = services.iter().filter(|s| dependencies.contains(**s)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
}

#[test]
fn every_crate_says_what_it_is_and_uses_the_lints() {
    for name in crates().keys() {
        let folder = root().join("crates").join(name);
        let source = ["src/lib.rs", "src/main.rs"].iter().find_map(|f| std::fs::read_to_string(folder.join(f)).ok());
        let source = source.unwrap_or_else(|| panic!("{name} has no root file"));
        assert!(source.starts_with("//!"), "{name}'s root says nothing about it");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("read a Cargo.toml");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} does not use the workspace's lints");
    }
}
