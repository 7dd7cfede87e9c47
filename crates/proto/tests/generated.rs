//! The committed Rust equals what the generator makes of `/proto`.

use std::path::Path;

const SOURCES: [&str; 4] = ["thanos/store.proto", "thanos/info.proto", "thanos/hints.proto", "prometheus/remote.proto"];
const PACKAGES: [&str; 4] = ["thanos.rs", "thanos.info.rs", "hintspb.rs", "prometheus.rs"];

fn generate(out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let descriptors = protox::compile(SOURCES, [&root]).expect("the .proto files compile");
    tonic_prost_build::configure()
        .bytes(".")
        .out_dir(out)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .expect("code is generated");
}

#[test]
fn committed_code_equals_the_generated() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var_os("ESKER_REGENERATE").is_some() {
        std::fs::create_dir_all(&committed).expect("create src/generated");
        generate(&committed);
        return;
    }
    let fresh = tempfile::tempdir().expect("a temporary folder");
    generate(fresh.path());
    for package in PACKAGES {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(package)).expect("read generated code");
        let advice = "run ESKER_REGENERATE=1 cargo test -p proto";
        assert!(read(fresh.path()) == read(&committed), "{package} is out of date: {advice}");
    }
}
