//! `esker tools bucket`.

mod fetch;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use block::Ulid;
use bucket::{Bucket, ObjstoreArgs};
use clap::Subcommand;
use daemon::Shell;
use futures::{StreamExt, TryStreamExt, stream};
use request::Context;

use crate::block::unlimited;
use crate::block::verify::{self, Report};
use crate::report::Output;

/// Commands over the blocks of a bucket.
#[derive(Clone, Debug, Subcommand)]
pub enum BucketCommand {
    /// Check every checksum, order, reference, sample and byte of all complete blocks; fails if anything is wrong
    Verify {
        #[command(flatten)]
        objstore: ObjstoreArgs,
        /// Only this block; repeatable
        #[arg(long = "id", value_name = "ULID")]
        ids: Vec<Ulid>,
        /// How many blocks are fetched and verified at a time; 0 for one per core
        #[arg(long, default_value_t = 0)]
        concurrency: usize,
        /// Where blocks of a remote bucket lie while they are verified; the system's temporary folder if not set
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
}

pub(crate) async fn run(command: BucketCommand, shell: &Shell) -> Result<()> {
    match command {
        BucketCommand::Verify { objstore, ids, concurrency, data_dir, output } => {
            let bucket = objstore.require()?.connect().await?;
            let cx = unlimited(shell);
            let concurrency = if concurrency == 0 { cx.pool().threads() } else { concurrency };
            let dir = data_dir.unwrap_or_else(std::env::temp_dir);
            let reports = verify_bucket(&bucket, &ids, concurrency.max(1), dir, &cx).await?;
            verify::finish(&reports, output)
        }
    }
}

/// Verifies the complete blocks of the bucket that are not marked for deletion, or those of `ids`.
pub(crate) async fn verify_bucket(
    bucket: &Bucket,
    ids: &[Ulid],
    concurrency: usize,
    dir: PathBuf,
    cx: &Context,
) -> Result<Vec<Report>> {
    let ids = if ids.is_empty() { complete(bucket).await? } else { ids.to_vec() };
    let verify = |id: Ulid| {
        let dir = dir.clone();
        async move {
            if let Some(local) = bucket.local_block(id) {
                return verify::verify_dir(&local, cx).await;
            }
            let fetched = fetch::Fetched::new(bucket, id, &dir).await.with_context(|| format!("fetch block {id}"))?;
            verify::verify_dir(fetched.dir(), cx).await
        }
    };
    stream::iter(ids).map(verify).buffered(concurrency).try_collect().await
}

/// The blocks that are visible: with a meta.json, and without a deletion mark.
async fn complete(bucket: &Bucket) -> Result<Vec<Ulid>> {
    let blocks = bucket.list_all().await?;
    let has = |objects: &bucket::BlockObjects, file: bucket::BlockFile| objects.contains_key(&file.rel_path());
    let visible = blocks
        .into_iter()
        .filter(|(_, objects)| has(objects, bucket::BlockFile::Meta) && !has(objects, bucket::BlockFile::DeletionMark));
    Ok(visible.map(|(id, _)| id).collect())
}
