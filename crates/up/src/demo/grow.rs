//! The demo world as time goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bucket::Bucket;
use daemon::worker::{self, Worker};
use daemon::{Shell, now_ms};
use gateway::Gateway;

use super::{BLOCK_MS, Head, SCRAPE_MS, Source, upload};

/// A block is cut so long after its end, that no scrape is left out.
const CUT_DELAY_MS: i64 = 60_000;

/// Scrapes what is due into the head of each source, and cuts blocks from it.
pub(crate) struct Grow {
    pub(crate) bucket: Bucket,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) scratch: PathBuf,
    pub(crate) sources: Vec<(Arc<Source>, Arc<Head>)>,
    /// Where the blocks end, for each source.
    pub(crate) cut: Vec<i64>,
}

impl Grow {
    /// Brings the heads up to `now`.
    pub(crate) async fn scrape(&self, now: i64) -> anyhow::Result<()> {
        for (source, head) in &self.sources {
            let (source, head) = (Arc::clone(source), Arc::clone(head));
            let due = move || {
                let from = head.end();
                if from < now {
                    head.append(now, source.scrape(from, now));
                }
            };
            tokio::task::spawn_blocking(due).await?;
        }
        Ok(())
    }

    /// Uploads full blocks. The samples stay in the head for one block more, until others see them.
    async fn cut(&mut self, now: i64) -> anyhow::Result<()> {
        let mut uploaded = false;
        for ((source, head), cut) in self.sources.iter().zip(&mut self.cut) {
            while *cut + BLOCK_MS + CUT_DELAY_MS <= now {
                let end = *cut + BLOCK_MS;
                let series = head.window(*cut, end);
                uploaded |= upload(&self.bucket, source, &self.scratch, *cut, series).await?;
                head.forget(*cut);
                *cut = end;
            }
        }
        if uploaded {
            self.gateway.sync(now).await?;
        }
        Ok(())
    }

    /// Runs it until the shutdown.
    pub(crate) fn spawn(self, shell: &Shell) {
        worker::spawn(&shell.component("demo"), Duration::from_millis(SCRAPE_MS as u64 / 2), self);
    }
}

impl Worker for Grow {
    fn name(&self) -> &'static str {
        "demo"
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        let now = now_ms();
        self.scrape(now).await?;
        self.cut(now).await
    }
}
