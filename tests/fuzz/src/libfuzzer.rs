//! The libFuzzer binary for all targets: `ESKER_FUZZ_TARGET` says which.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static CHECK: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("ESKER_FUZZ_TARGET").expect("ESKER_FUZZ_TARGET names a target");
    fuzz::TARGETS.iter().find(|t| t.name == name).expect("ESKER_FUZZ_TARGET is one of fuzz::TARGETS").check
});

fuzz_target!(|bytes: &[u8]| CHECK(bytes));
