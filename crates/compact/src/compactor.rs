//! One cycle over the bucket: look, clean, plan, merge, until nothing is due.

mod fetch;
mod group;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::{BlockMeta, Ulid};
use bucket::{Bucket, MetaSync, Snapshot, SyncMetrics, SyncOptions};
use futures::{StreamExt, stream};

use crate::metrics::Resolution;
use crate::plan::{self, GroupKey};
use crate::{CompactMetrics, Error, Result, Settings};

/// Compacts one bucket. The only one to do so at a time.
#[derive(Debug)]
pub struct Compactor {
    pub(crate) settings: Settings,
    sync: MetaSync,
    pub(crate) metrics: CompactMetrics,
    clock: fn() -> i64,
}

/// What a cycle did.
#[derive(Debug, Default)]
pub struct Report {
    /// Merges that gave a new block.
    pub compactions: usize,
    /// Blocks marked for deletion.
    pub marked: usize,
    /// Blocks deleted.
    pub deleted: usize,
    pub failures: Vec<Failure>,
}

/// A group that could not be compacted to the end this time.
#[derive(Debug)]
pub struct Failure {
    pub group: String,
    pub error: Error,
}

impl Report {
    /// Whether work was due and none got done.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        !self.failures.is_empty() && self.compactions == 0
    }
}

/// A group on its way through a cycle.
#[derive(Debug)]
struct Group {
    key: GroupKey,
    /// By time; follows what is merged.
    blocks: Vec<Arc<BlockMeta>>,
    no_compact: BTreeSet<Ulid>,
    report: Report,
}

impl Group {
    fn fail(&mut self, error: Error) {
        tracing::error!(group = %self.key, %error, "could not compact all of a group; other groups go on");
        self.report.failures.push(Failure { group: self.key.to_string(), error });
    }
}

impl Compactor {
    #[must_use]
    pub fn new(settings: Settings, bucket: Bucket) -> Self {
        let options = SyncOptions {
            concurrency: settings.meta_fetch_concurrency,
            consistency_delay: settings.consistency_delay,
            // Marked blocks count for as long as readers may still use them, give or take.
            ignore_deletion_marks_after: Some(settings.delete_delay / 2),
            deduplicate: true,
            replica_labels: settings.replica_labels.clone(),
            selector: settings.selector.clone(),
            copy: Some(settings.data_dir.join("bucket-index")),
            ..SyncOptions::default()
        };
        let sync = MetaSync::new(bucket, options);
        Self { settings, sync, metrics: CompactMetrics::default(), clock: daemon::now_ms }
    }

    /// Counts into metrics that the caller registered.
    #[must_use]
    pub fn with_metrics(mut self, metrics: CompactMetrics, sync: SyncMetrics) -> Self {
        self.metrics = metrics;
        self.sync = self.sync.with_metrics(sync);
        self
    }

    /// Asks another clock for the Unix time in milliseconds: for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> i64) -> Self {
        self.clock = clock;
        self
    }

    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        self.sync.bucket()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// Goes on until nothing is due, then applies retention and deletes what is to be deleted. May be
    /// dropped or killed at any point: the next cycle takes up what is left.
    ///
    /// # Errors
    /// When the bucket cannot be read or marks cannot be written. Failures of single groups are in the
    /// report and do not stop the others.
    pub async fn run_once(&self) -> Result<Report> {
        let report = self.cycle().await;
        match &report {
            Ok(_) => self.metrics.iterations.inc(),
            Err(_) => self.metrics.retries.inc(),
        };
        report
    }

    async fn cycle(&self) -> Result<Report> {
        self.clear_scratch()?;
        let mut report = Report::default();
        // A group that failed would fail again: it waits for the next cycle.
        let mut failed = BTreeSet::new();
        loop {
            let snapshot = self.look().await?;
            report.deleted += self.delete_marked(&snapshot).await;
            report.marked += self.collect_garbage(&snapshot).await?;
            let before = (report.compactions, report.marked);
            self.compact_all(&snapshot, &mut failed, &mut report).await;
            if (report.compactions, report.marked) == before {
                report.marked += self.apply_retention(&snapshot).await?;
                report.deleted += self.delete_partial(&snapshot).await;
                break;
            }
        }
        if self.settings.delete_delay.is_zero() {
            report.deleted += self.delete_marked(&self.look().await?).await;
        }
        if report.deleted + report.marked > 0 {
            // Readers learn at once what is gone and what is about to go; if not, with the next cycle.
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "could not look at the bucket after the cycle");
            }
        }
        Ok(report)
    }

    async fn look(&self) -> Result<Snapshot> {
        let now_ms = self.now_ms();
        let snapshot = self.sync.sync(now_ms, self.settings.range(now_ms)).await?;
        if let Some(failed) = snapshot.failed.first() {
            return Err(Error::Incomplete(failed.error.to_string()));
        }
        if let Err(error) = self.sync.write_index(now_ms).await {
            self.metrics.index_failures.inc();
            tracing::warn!(%error, "could not write the bucket index; readers list the bucket instead");
        }
        Ok(snapshot)
    }

    /// Compacts every group as far as it goes.
    async fn compact_all(&self, snapshot: &Snapshot, failed: &mut BTreeSet<GroupKey>, report: &mut Report) {
        let no_compact: BTreeSet<Ulid> = snapshot.no_compact_marks.keys().copied().collect();
        let groups = plan::groups(snapshot.blocks.values().map(|b| Arc::clone(&b.meta)));
        self.count_due(&groups, &no_compact);
        let due = groups.into_iter().filter(|(key, blocks)| blocks.len() > 1 && !failed.contains(key));
        let open = |(key, blocks)| Group { key, blocks, no_compact: no_compact.clone(), report: Report::default() };
        let due: Vec<Group> = due.map(open).collect();
        let work = due.into_iter().map(|mut group| async move {
            let resolution = Resolution { resolution: group.key.resolution_ms };
            self.metrics.runs_started.get_or_create(&resolution).inc();
            if let Err(error) = self.compact_group(&mut group).await {
                group.fail(error);
            }
            let failures = group.report.failures.len() as u64;
            self.metrics.failures.get_or_create(&resolution).inc_by(failures);
            self.metrics.runs_completed.get_or_create(&resolution).inc_by(u64::from(failures == 0));
            group
        });
        let mut work = stream::iter(work).buffer_unordered(self.settings.concurrency.max(1));
        while let Some(group) = work.next().await {
            report.compactions += group.report.compactions;
            report.marked += group.report.marked;
            if !group.report.failures.is_empty() {
                failed.insert(group.key);
            }
            report.failures.extend(group.report.failures);
        }
    }

    fn count_due(&self, groups: &BTreeMap<GroupKey, Vec<Arc<BlockMeta>>>, no_compact: &BTreeSet<Ulid>) {
        let plans = groups.values().map(|blocks| plan::plan(blocks, no_compact, &self.settings.ranges_ms).len());
        let due: Vec<usize> = plans.filter(|n| *n > 0).collect();
        self.metrics.todo_compactions.set(i64::try_from(due.len()).unwrap_or(i64::MAX));
        self.metrics.todo_blocks.set(i64::try_from(due.iter().sum::<usize>()).unwrap_or(i64::MAX));
    }
}
