use std::path::PathBuf;

use super::*;

fn blocks(bucket: &str) -> Vec<PathBuf> {
    let Some(bucket) = golden::bucket(bucket) else { return Vec::new() };
    let entries = std::fs::read_dir(bucket).expect("a folder").flatten().map(|e| e.path());
    entries.filter(|p| p.join(META_FILE).exists()).collect()
}

#[test]
fn golden_blocks_are_sound() {
    for bucket in ["fleet/bucket", "long/bucket_downsampled"] {
        for dir in blocks(bucket) {
            let findings = verify(&Files::open(&dir).expect("maps"));
            assert_eq!(findings.problems, [], "{}", dir.display());
            assert!(findings.samples > 0);
        }
    }
}

/// A sound block with one byte of `file` changed at `at`.
fn damaged(files: &Files, file: usize, at: usize) -> Files {
    let mut files = files.clone();
    let change = |bytes: &mut Bytes| {
        let mut copy = bytes.to_vec();
        copy[at] ^= 0x55;
        *bytes = copy.into();
    };
    match file {
        0 => change(&mut files.index),
        _ => change(&mut files.segments[0]),
    }
    files
}

#[test]
fn every_changed_byte_is_noticed() {
    let Some(dir) = blocks("fleet/bucket").into_iter().next() else { return };
    let files = Files::open(&dir).expect("maps");
    for file in 0..2 {
        let len = if file == 0 { files.index.len() } else { files.segments[0].len() };
        // Prime, so that every kind of place comes up.
        for at in (0..len).step_by(997).chain([0, 4, 5, 7, len - 1]) {
            let findings = verify(&damaged(&files, file, at));
            assert!(!findings.is_sound(), "byte {at} of file {file}");
            for problem in &findings.problems {
                assert!(!problem.file.is_empty(), "{problem}");
            }
        }
    }
}

#[test]
fn what_is_missing_or_left_over_is_noticed() {
    let Some(dir) = blocks("fleet/bucket").into_iter().next() else { return };
    let files = Files::open(&dir).expect("maps");
    let check = |files: &Files, text: &str| {
        let findings = verify(files);
        assert!(findings.problems.iter().any(|p| p.to_string().contains(text)), "{text}: {:?}", findings.problems);
    };
    let mut longer = files.segments[0].to_vec();
    longer.push(0);
    check(&Files { segments: vec![longer.into()], ..files.clone() }, "belong to nothing");
    check(&Files { segments: Vec::new(), ..files.clone() }, "segment 1 of 0");
    let meta = String::from_utf8(files.meta.to_vec()).expect("text");
    let mut value: serde_json::Value = serde_json::from_str(&meta).expect("json");
    value["stats"]["numSamples"] = 1.into();
    value["maxTime"] = value["minTime"].clone();
    value["thanos"]["index_stats"] = serde_json::json!({"series_max_size": 1, "chunk_max_size": 1 << 30});
    let wrong = Files { meta: value.to_string().into(), ..files.clone() };
    check(&wrong, "numSamples is 1");
    check(&wrong, "lie outside");
    check(&wrong, "series_max_size is 1,");
    check(&wrong, "chunk_max_size is 1073741824,");
    check(&Files { meta: Bytes::new(), ..files.clone() }, "meta.json");
    check(&Files { index: Bytes::new(), ..files.clone() }, "too few for an index");
}

#[test]
fn jobs_find_the_same_however_many_there_are() {
    let Some(dir) = blocks("fleet/bucket").into_iter().next() else { return };
    let sound = Files::open(&dir).expect("maps");
    let middle = sound.segments[0].len() / 2;
    for files in [sound.clone(), damaged(&sound, 1, middle), damaged(&sound, 0, sound.index.len() / 3)] {
        let expected = verify(&files);
        for count in [2, 3, 1000] {
            let verification = Verification::new(files.clone());
            let samples: Vec<_> =
                verification.parts(count).into_iter().map(|part| verification.samples(part)).collect();
            let index = verification.index();
            assert_eq!(verification.finish(index, samples), expected);
        }
    }
}
