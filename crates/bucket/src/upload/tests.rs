use block::meta::DeletionMark;
use object_store::ObjectStoreExt;
use ulid::Ulid;

use super::*;
use crate::{Fault, Faults, Operation, Recorder};

/// A block's folder with files of these sizes; what is in them does not matter here.
fn block_dir(chunks: &[usize], index: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temp dir");
    std::fs::create_dir(dir.path().join("chunks")).expect("mkdir");
    for (i, size) in chunks.iter().enumerate() {
        let content: Vec<u8> = (0..*size).map(|n| (n % 251) as u8).collect();
        std::fs::write(dir.path().join(BlockFile::Chunks(i as u32 + 1).rel_path()), content).expect("write");
    }
    std::fs::write(dir.path().join("index"), vec![7; index]).expect("write");
    dir
}

fn small_parts() -> crate::WriteOptions {
    crate::WriteOptions { part_bytes: 100, ..Default::default() }
}

fn id() -> Ulid {
    Ulid::from_parts(1_700_000_000_000, 42)
}

#[tokio::test]
async fn files_are_listed_and_meta_goes_last() {
    let dir = block_dir(&[250, 10], 20);
    let faults = Faults::default();
    let bucket = Bucket::memory().decorated(|s| Recorder::new(s, faults.clone())).with_write_options(small_parts());
    let meta = BlockMeta::new(id(), 0, 10);
    let uploaded = bucket.upload_block(dir.path(), &meta).await.expect("upload");
    assert_eq!(uploaded, Uploaded::New { bytes: 280, skipped: 0 });
    let operations = faults.take();
    let writes: Vec<_> = operations.iter().filter(|(op, _)| op.writes()).collect();
    let last = writes.last().expect("some");
    assert_eq!((last.0, last.1.ends_with("/meta.json")), (Operation::Put, true));
    assert_eq!(writes.iter().filter(|(op, _)| *op == Operation::PutPart).count(), 3);

    let written = bucket.read_meta(id()).await.expect("meta");
    let thanos = written.thanos.expect("section");
    let files: Vec<_> = thanos.files.iter().map(|f| (f.rel_path.as_str(), f.size_bytes)).collect();
    assert_eq!(files, [("chunks/000001", 250), ("chunks/000002", 10), ("index", 20), ("meta.json", 0)]);
    assert_eq!(thanos.segment_files, ["000001", "000002"]);
    let chunks = bucket.read(id(), BlockFile::Chunks(1)).await.expect("chunks");
    assert_eq!(&chunks[..], std::fs::read(dir.path().join("chunks/000001")).expect("read"));

    assert_eq!(bucket.upload_block(dir.path(), &meta).await.expect("again"), Uploaded::AlreadyThere);
    assert!(!faults.take().iter().any(|(op, _)| op.writes()), "nothing is sent twice");
}

#[tokio::test]
async fn what_is_not_a_block_is_refused() {
    let meta = BlockMeta::new(id(), 0, 10);
    let dir = tempfile::tempdir().expect("temp dir");
    let message = Bucket::memory().upload_block(dir.path(), &meta).await.expect_err("empty").to_string();
    assert!(message.contains("chunks/000001"), "{message}");
    let dir = block_dir(&[10], 5);
    std::fs::remove_file(dir.path().join("index")).expect("remove");
    let message = Bucket::memory().upload_block(dir.path(), &meta).await.expect_err("no index").to_string();
    assert!(message.contains("index"), "{message}");
}

/// Whatever write goes wrong in whatever way: the block is invisible or whole, and a second attempt
/// makes it whole.
async fn upload_survives(make: impl Fn() -> Bucket) {
    let dir = block_dir(&[250, 10], 20);
    let meta = BlockMeta::new(id(), 0, 10);
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::CrashBefore, Fault::CrashAfter] {
        for k in 0.. {
            let faults = Faults::default();
            let bucket = make().decorated(|s| Recorder::new(s, faults.clone())).with_write_options(small_parts());
            faults.fail_at(k, fault);
            let first = bucket.upload_block(dir.path(), &meta).await;
            let struck = faults.struck();
            faults.heal();
            let visible = bucket.read_if_exists(id(), BlockFile::Meta).await.expect("read").is_some();
            assert!(first.is_err() || visible, "{fault:?} at {k}: said done");
            for attempt in 0..2 {
                let expected = visible || attempt == 1;
                if expected {
                    for (file, size) in block_files(dir.path()).expect("files") {
                        let there = bucket.size(id(), file).await.expect("visible blocks are whole");
                        assert_eq!(there, size, "{fault:?} at {k}: {file}");
                    }
                }
                bucket.upload_block(dir.path(), &meta).await.unwrap_or_else(|e| panic!("{fault:?} at {k}: {e}"));
            }
            if !struck {
                assert!(k > 6, "every operation was tried");
                break;
            }
        }
    }
}

#[tokio::test]
async fn upload_survives_in_memory() {
    upload_survives(Bucket::memory).await;
}

#[tokio::test]
async fn upload_survives_on_files() {
    let root = tempfile::tempdir().expect("temp dir");
    let number = std::cell::Cell::new(0);
    upload_survives(|| {
        number.set(number.get() + 1);
        Bucket::filesystem(root.path().join(number.get().to_string())).expect("create")
    })
    .await;
}

#[tokio::test]
async fn adopted_blocks_are_linked() {
    use std::os::unix::fs::MetadataExt;
    let dir = block_dir(&[250, 10], 20);
    let root = tempfile::tempdir().expect("temp dir");
    let bucket = Bucket::filesystem(root.path()).expect("create");
    let meta = BlockMeta::new(id(), 0, 10);
    let adopted = bucket.adopt_block(dir.path(), &meta).await.expect("adopt");
    assert_eq!(adopted, Uploaded::New { bytes: 280, skipped: 0 });
    for (file, size) in block_files(dir.path()).expect("files") {
        let inode = |path: PathBuf| std::fs::metadata(path).expect("exists").ino();
        assert_eq!(inode(dir.path().join(file.rel_path())), inode(bucket.local_path(id(), file).expect("local")));
        assert_eq!(bucket.size(id(), file).await.expect("size"), size);
    }
    assert_eq!(bucket.adopt_block(dir.path(), &meta).await.expect("again"), Uploaded::AlreadyThere);
    let memory = Bucket::memory();
    memory.adopt_block(dir.path(), &meta).await.expect("copies");
    assert_eq!(memory.size(id(), BlockFile::Index).await.expect("size"), 20);
}

#[tokio::test]
async fn leftovers_of_killed_uploads_are_removed() {
    let dir = block_dir(&[250], 20);
    let root = tempfile::tempdir().expect("temp dir");
    let bucket = Bucket::filesystem(root.path()).expect("create");
    let folder = bucket.local_block(id()).expect("local");
    std::fs::create_dir_all(folder.join("chunks")).expect("mkdir");
    for name in ["index#1", "chunks/000001#12", "kept#x"] {
        std::fs::write(folder.join(name), "x").expect("write");
    }
    bucket.upload_block(dir.path(), &BlockMeta::new(id(), 0, 10)).await.expect("upload");
    let there = |name: &str| folder.join(name).exists();
    assert!(!there("index#1") && !there("chunks/000001#12") && there("kept#x") && there("chunks/000001"));
}

#[tokio::test]
async fn small_objects_are_not_replaced() {
    let bucket = Bucket::memory();
    let path = Path::from("x/y");
    assert_eq!(bucket.put_new(&path, "a".into()).await.expect("put"), Put::Created);
    assert_eq!(bucket.put_new(&path, "a".into()).await.expect("put"), Put::Same);
    assert_eq!(bucket.put_new(&path, "b".into()).await.expect("put"), Put::Different("a".into()));
}

/// Deletes with every write going wrong once: `meta.json` is first to go and the mark last.
#[tokio::test]
async fn deletion_survives() {
    let dir = block_dir(&[10], 5);
    let root = tempfile::tempdir().expect("temp dir");
    for k in 0.. {
        let faults = Faults::default();
        let bucket = Bucket::filesystem(root.path().join(k.to_string())).expect("create");
        let bucket = bucket.decorated(|s| Recorder::new(s, faults.clone()));
        bucket.upload_block(dir.path(), &BlockMeta::new(id(), 0, 10)).await.expect("upload");
        assert!(bucket.mark_for_deletion(&DeletionMark::new(id(), 1, "")).await.expect("mark"));
        assert!(!bucket.mark_for_deletion(&DeletionMark::new(id(), 2, "")).await.expect("mark"), "keeps the first");
        bucket.store().put(&Path::from(format!("{}/stray", id())), "x".into()).await.expect("put");
        faults.fail_at_write(k, Fault::CrashBefore);
        let deleted = bucket.delete_block(id()).await;
        let struck = faults.struck();
        faults.heal();
        let left = bucket.list_block(id()).await.expect("list");
        if struck {
            assert!(deleted.is_err());
            assert!(left.contains_key("deletion-mark.json"), "at {k}: {left:?}");
            assert!(k == 0 || !left.contains_key("meta.json"), "at {k}: {left:?}");
            bucket.delete_block(id()).await.expect("second attempt");
        }
        assert!(bucket.list_block(id()).await.expect("list").is_empty());
        assert!(!bucket.local_block(id()).expect("local").exists());
        if !struck {
            assert_eq!(k, 5);
            break;
        }
    }
}
