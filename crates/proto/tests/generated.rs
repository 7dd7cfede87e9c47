//! The committed Rust equals what the generator makes of `/proto`.

use std::path::Path;

use prost::Message;

const SOURCES: [&str; 4] = ["thanos/store.proto", "thanos/info.proto", "thanos/hints.proto", "prometheus/remote.proto"];
const FILES: [&str; 5] = ["thanos.rs", "thanos.info.rs", "hintspb.rs", "prometheus.rs", "descriptors.bin"];

fn generate(out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let descriptors = protox::compile(SOURCES, [&root]).expect("the .proto files compile");
    let mut bare = descriptors.clone();
    // Comments are in the code.
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    std::fs::write(out.join("descriptors.bin"), bare.encode_to_vec()).expect("write the descriptors");
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
    for file in FILES {
        let read = |folder: &Path| std::fs::read(folder.join(file)).expect("read generated code");
        let advice = "run ESKER_REGENERATE=1 cargo test -p proto";
        assert!(read(fresh.path()) == read(&committed), "{file} is out of date: {advice}");
    }
}
