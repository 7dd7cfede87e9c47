//! `esker tools`: commands that do one thing and end.
//!
//! Place: L4, a service that ends by itself: `run(args, shell)`. Nothing here changes a block. Reports
//! go to standard output, as tables or as JSON; a report of damage ends the process with a failure.

mod block;
mod bucket;
pub mod promqltest;
mod report;
mod store;

use clap::Subcommand;
use daemon::Shell;

pub use block::BlockCommand;
pub use bucket::BucketCommand;
pub use report::Output;
pub use store::StoreCommand;

/// Flags of `esker tools`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands below `esker tools`.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Look into blocks in folders
    #[command(subcommand)]
    Block(BlockCommand),
    /// Look into the blocks of a bucket
    #[command(subcommand)]
    Bucket(BucketCommand),
    /// Ask stores over gRPC, those of Thanos too
    #[command(subcommand)]
    Store(StoreCommand),
    /// Run test scripts of Prometheus (`load`, `eval`) against the query engine
    Promqltest(promqltest::Args),
}

/// Runs one tool to its end.
///
/// # Errors
/// What the command failed with, in the user's words: its input cannot be read, or what it verifies is
/// damaged.
pub async fn run(args: Args, shell: Shell) -> anyhow::Result<()> {
    match args.command {
        Command::Block(command) => block::run(command, &shell).await,
        Command::Bucket(command) => bucket::run(command, &shell).await,
        Command::Store(command) => store::run(command).await,
        Command::Promqltest(args) => {
            let cx = block::unlimited(&shell);
            cx.run(move || promqltest::run(&args, &mut std::io::stdout().lock())).await?
        }
    }
}
