use object_store::ObjectStoreExt;

use super::*;

const A: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const B: &str = "01BRZ3NDEKTSV4RRFFQ69G5FAV";

async fn fill(bucket: &Bucket, names: &[&str]) {
    for name in names {
        bucket.store().put(&Path::from(*name), "x".into()).await.expect("put");
    }
}

async fn lists_blocks_only(bucket: Bucket) {
    fill(&bucket, &["debug/metas/x", "x.txt", "01arz3ndektsv4rrffq69g5fav/index"]).await;
    fill(&bucket, &[&format!("{B}/index"), &format!("{A}/meta.json"), &format!("{A}/chunks/000001")]).await;
    let (a, b) = (Ulid::from_string(A).expect("ulid"), Ulid::from_string(B).expect("ulid"));
    assert_eq!(bucket.list_blocks().await.expect("list"), [a, b]);
    let all = bucket.list_all().await.expect("list");
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [a, b]);
    assert_eq!(all[&a].keys().collect::<Vec<_>>(), ["chunks/000001", "meta.json"]);
    assert_eq!(all[&a]["meta.json"].size, 1);
    assert_eq!(bucket.list_block(b).await.expect("list").len(), 1);
    bucket.check().await.expect("readable");
}

#[tokio::test]
async fn foreign_names_are_ignored() {
    lists_blocks_only(Bucket::memory()).await;
    lists_blocks_only(Bucket::memory().with_prefix("tenant/a")).await;
    let dir = tempfile::tempdir().expect("temp dir");
    lists_blocks_only(Bucket::filesystem(dir.path().join("deep/er")).expect("create")).await;
}

#[test]
fn local_paths() {
    let dir = tempfile::tempdir().expect("temp dir");
    let bucket = Bucket::filesystem(dir.path()).expect("create");
    let a = Ulid::from_string(A).expect("ulid");
    let path = bucket.local_path(a, BlockFile::Chunks(2)).expect("local");
    assert!(path.ends_with(format!("{A}/chunks/000002")), "{}", path.display());
    assert_eq!(bucket.without_shortcuts().local_path(a, BlockFile::Index), None);
    assert_eq!(Bucket::memory().local_path(a, BlockFile::Index), None);
}
