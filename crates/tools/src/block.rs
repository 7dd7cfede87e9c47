//! `esker tools block`.

mod analyze;
mod dump;
pub(crate) mod verify;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use daemon::Shell;
use request::Context;

use crate::report::{Output, block_dirs, print};

/// Commands over blocks in folders. A folder is a block or holds blocks.
#[derive(Clone, Debug, Subcommand)]
pub enum BlockCommand {
    /// Check every checksum, order, reference, sample and byte; fails if anything is wrong
    Verify {
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
    /// Print series and samples
    Dump {
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// Which series, as a selector: '{job="api"}'; all without it
        #[arg(long = "match", value_name = "SELECTOR")]
        selector: Option<String>,
        /// No samples before this time, Unix milliseconds
        #[arg(long, default_value_t = i64::MIN, hide_default_value = true, value_name = "MS", allow_negative_numbers = true)]
        min_time: i64,
        /// No samples after this time, Unix milliseconds
        #[arg(long, default_value_t = i64::MAX, hide_default_value = true, value_name = "MS", allow_negative_numbers = true)]
        max_time: i64,
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
    /// Show where series, churn and bytes are
    Analyze {
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// How many rows each list has
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
}

pub(crate) async fn run(command: BlockCommand, shell: &Shell) -> Result<()> {
    let cx = unlimited(shell);
    match command {
        BlockCommand::Verify { dirs, output } => {
            let reports = verify::verify_dirs(block_dirs(&dirs)?, &cx).await?;
            verify::finish(&reports, output)
        }
        BlockCommand::Dump { dirs, selector, min_time, max_time, output } => {
            let options = dump::Options::new(selector.as_deref(), min_time, max_time, output)?;
            for dir in block_dirs(&dirs)? {
                let options = options.clone();
                cx.run(move || print(|out| dump::dump(&dir, &options, out))).await??;
            }
            Ok(())
        }
        BlockCommand::Analyze { dirs, limit, output } => {
            for dir in block_dirs(&dirs)? {
                let analysis = cx.run(move || analyze::analyze(&dir, limit)).await??;
                print(|out| analysis.write(output, out))?;
            }
            Ok(())
        }
    }
}

/// A context for work that takes as long as it takes.
pub(crate) fn unlimited(shell: &Shell) -> Context {
    shell.request(Duration::MAX)
}
