//! Replays the kept inputs of each fuzz target, and mutations of them.
//!
//! `ESKER_WRITE_SEEDS=1` writes those that the generator makes.

use std::path::{Path, PathBuf};

use fuzz::TARGETS;
use fuzz::mutate::{Random, mutate};

/// So many mutations of each kept input.
const MUTATIONS: usize = 300;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

fn kept(target: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder(target))
        .unwrap_or_else(|e| panic!("no seeds for {target}: {e}"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

#[test]
fn the_generator_makes_the_kept_seeds() {
    for target in TARGETS {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let seeds = fuzz::seeds::generate(target.name, scratch.path());
        assert!(!seeds.is_empty(), "no seeds for {}", target.name);
        for (name, bytes) in seeds {
            let path = folder(target.name).join(name);
            if std::env::var_os("ESKER_WRITE_SEEDS").is_some() {
                std::fs::create_dir_all(folder(target.name)).expect("make the folder");
                std::fs::write(&path, &bytes).expect("write the seed");
            }
            assert!(std::fs::read(&path).is_ok_and(|kept| kept == bytes), "{} is not what is made", path.display());
        }
    }
}

#[test]
fn kept_inputs_and_mutations_of_them_break_nothing() {
    for target in TARGETS {
        for path in kept(target.name) {
            let bytes = std::fs::read(&path).expect("read a seed");
            (target.check)(&bytes);
            let mut random = Random(0x9E37_79B9_7F4A_7C15);
            let mut mutant = Vec::new();
            for _ in 0..MUTATIONS {
                mutate(&bytes, &mut random, &mut mutant);
                (target.check)(&mutant);
            }
        }
    }
}
