//! Small blocks in a bucket in memory, and everything that is in them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use block::chunk::encode_floats;
use block::meta::Thanos;
use block::{BlockMeta, BlockWriter, ChunkReader, Columns, IndexReader, NewChunk, SeriesEntry, Ulid};
use bucket::{BlockFile, Bucket, MetaSync, Snapshot, SyncOptions};
use compact::{Compactor, Settings};
use model::TimeRange;

/// Units of the tests' times: a level 1 block spans 20, the next levels 60 and 180.
pub(crate) const RANGES: [i64; 4] = [10, 20, 60, 180];

/// A series of a test block: its name and samples.
pub(crate) type Series<'a> = (&'a str, Vec<(i64, f64)>);

/// All samples by external labels, series and time; the value's bits, and how many blocks have it.
pub(crate) type Contents = BTreeMap<(String, String, i64), (u64, usize)>;

/// A recent id, so that its age plays no part.
pub(crate) fn id(n: u128) -> Ulid {
    Ulid::from_parts(u64::try_from(daemon::now_ms()).expect("after 1970") / 86_400_000 * 86_400_000, n)
}

/// One sample a unit of time, with values that tell where they come from.
pub(crate) fn ramp(min: i64, max: i64, base: f64) -> Vec<(i64, f64)> {
    (min..max).map(|t| (t, base + t as f64)).collect()
}

pub(crate) fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::new(dir);
    settings.consistency_delay = Duration::ZERO;
    settings.ranges_ms = RANGES.to_vec();
    settings
}

/// Writes a block into the bucket as a sidecar would.
pub(crate) async fn upload(bucket: &Bucket, id: Ulid, group: &str, range: (i64, i64), series: &[Series<'_>]) {
    let dir = tempfile::tempdir().expect("temp dir");
    let mut symbols = vec!["__name__"];
    symbols.extend(series.iter().map(|(name, _)| *name));
    symbols.sort_unstable();
    symbols.dedup();
    let mut writer = BlockWriter::create(dir.path(), symbols).expect("writer");
    for (name, samples) in series {
        let (t, v): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
        let chunks = encode_floats(&t, &v, 7);
        let chunks: Vec<NewChunk<'_>> = chunks
            .iter()
            .map(|c| NewChunk { min_time: c.min_time, max_time: c.max_time, encoding: c.encoding, payload: &c.bytes })
            .collect();
        writer.add_series([("__name__", *name)], &chunks).expect("series");
    }
    let mut meta = BlockMeta::new(id, range.0, range.1);
    let labels = [("group".to_owned(), group.to_owned())].into();
    meta.thanos = Some(Thanos { version: 1, labels, source: "sidecar".to_owned(), ..Thanos::default() });
    let meta = writer.finish(meta).expect("finish");
    bucket.upload_block(dir.path(), &meta).await.expect("upload");
}

/// Five level 1 blocks in one group and four in another: one merge each.
pub(crate) async fn two_groups(bucket: &Bucket) {
    for (g, group) in ["a", "b"].into_iter().enumerate() {
        for n in 0..5 - g as i64 {
            let (min, max) = (n * 20, n * 20 + 20);
            let base = 1000.0 * (g + 1) as f64;
            let series = [("one", ramp(min, max, base)), ("two", ramp(min, max, -base))];
            let only = [("one", ramp(min, max, base)), ("some", ramp(min, max, 0.5))];
            let number = 10 * (g as u128 + 1) + n as u128;
            upload(bucket, id(number), group, (min, max), if n % 2 == 0 { &series } else { &only }).await;
        }
    }
}

pub(crate) async fn look(bucket: &Bucket) -> Snapshot {
    let sync = MetaSync::new(bucket.clone(), SyncOptions::default());
    sync.sync(daemon::now_ms(), TimeRange::ALL).await.expect("sync")
}

/// Everything that readers see: each visible block must be whole.
pub(crate) async fn contents(bucket: &Bucket) -> Contents {
    let mut contents = Contents::new();
    let snapshot = look(bucket).await;
    assert!(snapshot.corrupt.is_empty() && snapshot.failed.is_empty(), "{:?}", snapshot.corrupt);
    for (id, block) in &snapshot.blocks {
        let index = IndexReader::new(bucket.read(*id, BlockFile::Index).await.expect("index")).expect("open");
        let mut segments = Vec::new();
        for (file, _) in block.chunk_files() {
            segments.push(bucket.read(*id, file).await.expect("chunks"));
        }
        let chunks = ChunkReader::new(segments).expect("open");
        let mut entry = SeriesEntry::default();
        for reference in index.all_postings().expect("postings").iter() {
            index.series(reference, &mut entry).expect("series");
            let name = index.symbol(entry.labels[0].1).expect("symbol");
            let mut columns = Columns::new();
            for chunk in &entry.chunks {
                let raw = chunks.chunk(chunk.chunk_ref).expect("chunk");
                block::chunk::decode(raw.encoding, raw.payload, &mut columns).expect("decode");
            }
            assert!(columns.t.is_sorted_by(|a, b| a < b), "{name} of {id} is in order");
            for (t, v) in columns.t.iter().zip(&columns.v) {
                let key = (block.meta.labels().to_string(), name.to_owned(), *t);
                contents.entry(key).or_insert((v.to_bits(), 0)).1 += 1;
            }
        }
    }
    contents
}

/// Runs one cycle in its own scratch folder.
pub(crate) async fn run(bucket: &Bucket, change: impl FnOnce(&mut Settings)) -> compact::Result<compact::Report> {
    let dir = tempfile::tempdir().expect("temp dir");
    let mut settings = settings(dir.path());
    change(&mut settings);
    Compactor::new(settings, bucket.clone()).run_once().await
}
