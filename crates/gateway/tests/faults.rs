//! Damaged and missing objects, and how many requests an answer takes.

use std::path::Path;
use std::sync::Arc;

use bucket::{Bucket, Fault, Faults, Operation, Recorder};
use futures::StreamExt;
use gateway::{Gateway, Settings};
use model::{Matcher, TimeRange};
use request::{Context, Missing};
use store::{Error, Frame, LabelsRequest, PartialResponse, SeriesRequest, Store};

const NOW_MS: i64 = 1_800_000_000_000;

/// A copy of some of the fleet's blocks that may be damaged.
fn some_blocks(count: usize) -> Option<tempfile::TempDir> {
    let bucket = golden::bucket("fleet/bucket")?;
    let copy = tempfile::tempdir().unwrap();
    let mut blocks: Vec<_> = std::fs::read_dir(bucket).unwrap().map(|e| e.unwrap().path()).collect();
    blocks.sort();
    for block in blocks.iter().take(count) {
        let to = copy.path().join(block.file_name().unwrap());
        std::fs::create_dir_all(to.join("chunks")).unwrap();
        for file in ["meta.json", "index", "chunks/000001"] {
            std::fs::write(to.join(file), std::fs::read(block.join(file)).unwrap()).unwrap();
        }
    }
    Some(copy)
}

fn first_block(dir: &Path) -> std::path::PathBuf {
    std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).min().unwrap()
}

async fn open(bucket: Bucket) -> Arc<Gateway> {
    let gateway = Gateway::new(bucket, Settings::default());
    gateway.sync(NOW_MS).await.unwrap();
    Arc::new(gateway)
}

async fn ask(gateway: &Gateway, partial: PartialResponse) -> Result<(usize, Vec<Missing>), Error> {
    let request = SeriesRequest {
        partial_response: partial,
        ..SeriesRequest::new(TimeRange::ALL, vec![Matcher::equal("__name__", "http_requests_total")])
    };
    let mut stream = gateway.series(&Context::inline(NOW_MS), request);
    let (mut chunks, mut missing) = (0, Vec::new());
    while let Some(frame) = stream.next().await {
        match frame? {
            Frame::Batch(batch) => chunks += batch.chunk_count() as usize,
            Frame::Missing(one) => missing.push(one),
            Frame::Stats(_) => {}
        }
    }
    Ok((chunks, missing))
}

/// Damages a file of the first block and expects that block, and no other, to be missing.
async fn check(damage: impl Fn(&Path), cause: &str) {
    for (shortcuts, whole_index_share) in [(true, 1.0), (false, 1.0), (false, 0.0)] {
        let Some(dir) = some_blocks(4) else { return };
        let open = async |bucket| {
            let gateway = Gateway::new(bucket, Settings { whole_index_share, ..Settings::default() });
            gateway.sync(NOW_MS).await.unwrap();
            Arc::new(gateway)
        };
        let bucket = || {
            let bucket = Bucket::filesystem(dir.path()).unwrap();
            if shortcuts { bucket } else { bucket.without_shortcuts() }
        };
        let (whole, _) = ask(&*open(bucket()).await, PartialResponse::Abort).await.unwrap();
        let gateway = open(bucket()).await;
        let block = first_block(dir.path());
        damage(&block);
        let (chunks, missing) = ask(&gateway, PartialResponse::Warn).await.unwrap();
        assert!(0 < chunks && chunks < whole, "{chunks} of {whole} chunks");
        assert_eq!(missing.len(), 1);
        assert_eq!(
            missing[0].labels,
            [("cluster".to_owned(), "eu".to_owned()), ("replica".to_owned(), "a".to_owned())]
        );
        assert!(missing[0].min_time < missing[0].max_time);
        let id = block.file_name().unwrap().to_str().unwrap();
        let text = &missing[0].cause;
        assert!(text.contains(id) && text.contains(cause), "{text}");
        let error = ask(&gateway, PartialResponse::Abort).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt(_) | Error::Unavailable(_)), "{error}");
        assert!(error.to_string().contains(id), "{error}");
    }
}

#[tokio::test]
async fn a_truncated_index_is_named() {
    check(
        |block| {
            let index = std::fs::read(block.join("index")).unwrap();
            std::fs::write(block.join("index"), &index[..index.len() / 2]).unwrap();
        },
        "index: corrupt at offset",
    )
    .await;
}

#[tokio::test]
async fn a_flipped_byte_of_a_chunk_is_named() {
    check(
        |block| {
            let mut chunks = std::fs::read(block.join("chunks/000001")).unwrap();
            for at in (1000..chunks.len()).step_by(200) {
                chunks[at] ^= 1;
            }
            std::fs::write(block.join("chunks/000001"), chunks).unwrap();
        },
        "chunks/000001: corrupt at offset",
    )
    .await;
}

#[tokio::test]
async fn a_block_that_went_away_is_named() {
    check(|block| std::fs::remove_dir_all(block).unwrap(), "").await;
}

#[tokio::test]
async fn labels_of_a_damaged_block_are_missing() {
    let Some(dir) = some_blocks(3) else { return };
    let gateway = open(Bucket::filesystem(dir.path()).unwrap()).await;
    let block = first_block(dir.path());
    std::fs::write(block.join("index"), b"short").unwrap();
    let mut request = LabelsRequest {
        label: "job".to_owned(),
        range: TimeRange::ALL,
        matchers: Vec::new(),
        without_replica_labels: Vec::new(),
        limit: 0,
        partial_response: PartialResponse::Warn,
        block_matchers: Vec::new(),
    };
    let cx = Context::inline(NOW_MS);
    let names = gateway.label_values(&cx, request.clone()).await.unwrap();
    assert_eq!((names.names.len(), names.missing.len()), (3, 1));
    request.partial_response = PartialResponse::Abort;
    assert!(gateway.label_names(&cx, request).await.is_err());
}

#[tokio::test]
async fn a_cold_answer_reads_each_index_once_and_a_warm_one_only_chunks() {
    let Some(dir) = some_blocks(24) else { return };
    let faults = Faults::default();
    let recorded = faults.clone();
    let bucket = Bucket::filesystem(dir.path()).unwrap().without_shortcuts();
    let gateway = open(bucket.decorated(move |store| Recorder::new(store, recorded))).await;
    drop(faults.take());
    let gets = |what: &str| {
        let all = faults.take();
        let all: Vec<_> = all.into_iter().filter(|(operation, _)| *operation != Operation::List).collect();
        assert!(all.iter().all(|(operation, _)| *operation == Operation::Get), "{what}: {all:?}");
        all.iter().filter(|(_, name)| name.contains("index")).count() * 1000 + all.len()
    };
    ask(&gateway, PartialResponse::Abort).await.unwrap();
    assert_eq!(gets("cold"), 24 * 1000 + 48, "an index and one range of chunks for each block");
    ask(&gateway, PartialResponse::Abort).await.unwrap();
    assert_eq!(gets("warm"), 24, "one range of chunks for each block");
    gateway.sync(NOW_MS).await.unwrap();
    let sync = faults.take();
    assert_eq!(sync.len(), 2, "the bucket index is looked for, and the bucket is listed: {sync:?}");
}

#[tokio::test]
async fn a_sparse_header_is_kept_below_the_data_directory_and_not_in_the_bucket() {
    let Some(dir) = some_blocks(2) else { return };
    let data = tempfile::tempdir().unwrap();
    let names = |dir: &Path| {
        let mut found: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        found.sort_unstable();
        found
    };
    let blocks = names(dir.path());
    let before = names(&dir.path().join(&blocks[0]));
    let settings = Settings { data_dir: Some(data.path().to_owned()), ..Settings::default() };
    let gateway = Gateway::new(Bucket::filesystem(dir.path()).unwrap(), settings);
    gateway.sync(NOW_MS).await.unwrap();
    ask(&gateway, PartialResponse::Abort).await.unwrap();
    assert_eq!(names(data.path()), blocks);
    assert_eq!(names(&data.path().join(&blocks[0])), [block::index::SPARSE_FILE]);
    assert_eq!(names(&dir.path().join(&blocks[0])), before);
    // With its block goes what is kept of it.
    std::fs::remove_dir_all(dir.path().join(&blocks[0])).unwrap();
    gateway.sync(NOW_MS).await.unwrap();
    assert_eq!(names(data.path()), blocks[1..]);
}

#[tokio::test]
async fn an_index_by_ranges_survives_every_refused_read() {
    let Some(dir) = some_blocks(2) else { return };
    let faults = Faults::default();
    let recorded = faults.clone();
    let bucket = Bucket::filesystem(dir.path()).unwrap().without_shortcuts();
    let bucket = bucket.decorated(move |store| Recorder::new(store, recorded));
    let settings = Settings { whole_index_share: 0.0, ..Settings::default() };
    let (mut whole, mut k) = (0, 0);
    loop {
        let gateway = Gateway::new(bucket.clone(), settings.clone());
        gateway.sync(NOW_MS).await.unwrap();
        faults.fail_at(k, Fault::Refused);
        let (chunks, missing) = ask(&gateway, PartialResponse::Warn).await.unwrap();
        let struck = faults.struck();
        faults.heal();
        if !struck {
            whole = whole.max(chunks);
            break;
        }
        assert_eq!(missing.len(), 1, "read {k}");
        assert!(missing[0].cause.contains("planned fault"), "{}", missing[0].cause);
        // The next one is whole again.
        let (again, missing) = ask(&gateway, PartialResponse::Abort).await.unwrap();
        assert!(missing.is_empty() && chunks < again && (whole == 0 || whole == again), "read {k}");
        (whole, k) = (again, k + 1);
    }
    // Of so small an index lists and series lie in one part.
    assert!(whole > 0 && k >= 6, "ends, lists, series and chunks of two blocks in {k} reads");
}

/// A gateway over a bucket that is not on this machine, with copies in `data`.
async fn with_copies(dir: &Path, data: &Path, disk_bytes_max: u64) -> Arc<Gateway> {
    let bucket = Bucket::filesystem(dir).unwrap().without_shortcuts();
    let settings = Settings { data_dir: Some(data.to_owned()), disk_bytes_max, ..Settings::default() };
    let gateway = Gateway::new(bucket, settings);
    gateway.sync(NOW_MS).await.unwrap();
    Arc::new(gateway)
}

fn copied_bytes(data: &Path) -> u64 {
    let folders = std::fs::read_dir(data).unwrap().map(|e| e.unwrap().path().join("index"));
    folders.filter_map(|index| index.metadata().ok()).map(|m| m.len()).sum()
}

#[tokio::test]
async fn copies_of_indexes_stay_within_their_bytes() {
    let Some(dir) = some_blocks(6) else { return };
    let data = tempfile::tempdir().unwrap();
    let whole = ask(&*with_copies(dir.path(), data.path(), 0).await, PartialResponse::Abort).await.unwrap();
    let all = copied_bytes(data.path());
    let few = tempfile::tempdir().unwrap();
    for max in [all / 3, 10] {
        let gateway = with_copies(dir.path(), few.path(), max).await;
        for _ in 0..2 {
            assert_eq!(ask(&gateway, PartialResponse::Abort).await.unwrap().0, whole.0);
            assert!(copied_bytes(few.path()) <= max.max(all / 3), "{} of {max}", copied_bytes(few.path()));
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_lost_or_damaged_is_fetched_again() {
    let Some(dir) = some_blocks(3) else { return };
    let data = tempfile::tempdir().unwrap();
    let whole = ask(&*with_copies(dir.path(), data.path(), 0).await, PartialResponse::Abort).await.unwrap();
    let copy = || first_block(data.path()).join("index");
    let intact = std::fs::read(copy()).unwrap();
    for damage in ["lost", "short", "flipped", "header"] {
        match damage {
            "lost" => std::fs::remove_file(copy()).unwrap(),
            "short" => std::fs::write(copy(), &intact[..intact.len() - 1]).unwrap(),
            "flipped" => {
                let mut bytes = intact.clone();
                bytes.iter_mut().skip(100).step_by(50).for_each(|b| *b ^= 1);
                let toc = bytes.len() - 52;
                bytes[toc..].copy_from_slice(&intact[toc..]);
                std::fs::write(copy(), bytes).unwrap();
            }
            _ => std::fs::write(copy(), vec![0; intact.len()]).unwrap(),
        }
        let gateway = with_copies(dir.path(), data.path(), 0).await;
        let (chunks, missing) = ask(&gateway, PartialResponse::Warn).await.unwrap();
        assert_eq!((chunks, missing), (whole.0, Vec::new()), "{damage}");
        assert_eq!(std::fs::read(copy()).unwrap(), intact, "{damage}");
    }
}

#[tokio::test]
async fn without_room_for_copies_answers_are_the_same() {
    let Some(dir) = some_blocks(3) else { return };
    let data = tempfile::tempdir().unwrap();
    let whole = ask(&*with_copies(dir.path(), data.path(), 0).await, PartialResponse::Abort).await.unwrap();
    // A file where the folder should be: every write below it fails.
    let full = data.path().join("full");
    std::fs::write(&full, "").unwrap();
    let gateway = with_copies(dir.path(), &full, 0).await;
    assert_eq!(ask(&gateway, PartialResponse::Abort).await.unwrap().0, whole.0);
    assert_eq!(ask(&gateway, PartialResponse::Abort).await.unwrap().0, whole.0);
}

#[tokio::test]
async fn what_a_request_may_fetch_is_limited_by_name() {
    let Some(dir) = some_blocks(2) else { return };
    let bucket = || Bucket::filesystem(dir.path()).unwrap().without_shortcuts();
    for (settings, flag) in [
        (Settings { fetched_bytes_max: 1000, ..Settings::default() }, "--store.grpc.downloaded-bytes-limit"),
        (Settings { chunk_pool_bytes: 1024, ..Settings::default() }, "--chunk-pool-size"),
    ] {
        let gateway = Gateway::new(bucket(), settings);
        gateway.sync(NOW_MS).await.unwrap();
        let refused = ask(&gateway, PartialResponse::Warn).await.unwrap_err();
        let named = matches!(&refused, Error::Exhausted(t) if t.contains(flag) && t.contains("http_requests_total"));
        assert!(named, "{refused}");
    }
}

/// Bytes of chunks that the bucket gave, by its own count, and those that an answer holds.
async fn fetched_and_used(matchers: Vec<Matcher>, range: TimeRange) -> Option<(u64, u64)> {
    let dir = golden::bucket("fleet/bucket")?;
    let mut registry = prometheus_client::registry::Registry::default();
    let bucket = Bucket::filesystem(&dir).unwrap().without_shortcuts().instrumented(&mut registry, || NOW_MS);
    let data = tempfile::tempdir().unwrap();
    let settings = Settings { data_dir: Some(data.path().to_owned()), ..Settings::default() };
    let gateway = Gateway::new(bucket, settings);
    gateway.sync(NOW_MS).await.unwrap();
    let fetched = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let lines = text.lines().filter(|l| l.contains("fetched_bytes_total{") && l.contains("\"get_range\""));
        lines.map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum::<u64>()
    };
    let mut used = 0;
    let mut before = 0;
    // The second time the indexes are there, and only chunks are fetched.
    for _ in 0..2 {
        (used, before) = (0, fetched());
        let mut stream = gateway.series(&Context::inline(NOW_MS), SeriesRequest::new(range, matchers.clone()));
        while let Some(frame) = stream.next().await {
            if let Frame::Batch(batch) = frame.unwrap() {
                used += batch.payload_bytes();
            }
        }
    }
    Some((fetched() - before, used))
}

#[tokio::test]
async fn most_of_the_bytes_fetched_are_used() {
    let name = |name: &str| Matcher::equal("__name__", name);
    let day = TimeRange::new(1_768_500_000_000, 1_768_586_400_000);
    let six_hours = TimeRange::new(1_768_564_800_000, 1_768_586_400_000);
    for (what, matchers, range) in [
        ("Q1", vec![name("process_resident_memory_bytes"), Matcher::equal("instance", "10.0.0.1:8080")], day),
        ("Q3", vec![name("http_requests_total")], day),
        ("Q5", vec![name("container_memory_working_set_bytes")], six_hours),
    ] {
        let Some((fetched, used)) = fetched_and_used(matchers, range).await else { return };
        assert!(used > 0 && used * 10 >= fetched * 7, "{what}: {used} of {fetched} bytes are used");
    }
}
