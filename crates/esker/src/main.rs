//! The binary: the command line to a service's `run`, and nothing else.
//!
//! Place: L5.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use daemon::Shell;
use daemon::flags::{COMMON_INERT, Inert, ProcessArgs, accept_inert, parse, report_inert};

/// A long-term object-storage tier for Prometheus, compatible with Thanos.
#[derive(Debug, Parser)]
#[command(name = "esker", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(subcommand)]
    role: Role,
}

const EXAMPLES: &str = "\
Examples:
  esker up --demo
  esker up --prometheus.url=http://localhost:9090 --tsdb.path=/prometheus
  esker sidecar --prometheus.url=http://localhost:9090 --tsdb.path=/prometheus \\
      --objstore.config-file=bucket.yaml
  esker store --data-dir=/var/esker --objstore.config-file=bucket.yaml
  esker query --endpoint=store:10901 --endpoint=sidecar:10901 --query.replica-label=replica
  esker compact --data-dir=/var/esker --objstore.config-file=bucket.yaml --wait

Flags are those of Thanos; each subcommand lists its own with --help.";

#[derive(Debug, Subcommand)]
enum Role {
    /// Run a whole tier in one process
    Up(Box<up::Args>),
    /// Upload the blocks of a Prometheus server to a bucket and serve its head
    Sidecar(Box<sidecar::Args>),
    /// Serve the blocks of a bucket
    Store(Box<gateway::Args>),
    /// Answer PromQL over stores, sidecars and other queriers
    Query(Box<query::Args>),
    /// Compact the blocks of a bucket, apply retention and delete what is marked
    Compact(Box<compact::Args>),
    /// Commands that do one thing and end
    Tools(Box<tools::Args>),
}

/// Flags of Thanos that a subcommand takes without an effect.
const INERT: &[(&str, &[Inert])] = &[
    ("sidecar", sidecar::INERT),
    ("store", gateway::INERT),
    ("query", query::INERT),
    ("compact", compact::INERT),
    ("tools", &[]),
    ("up", &[]),
];

impl Role {
    async fn run(self, shell: Shell) -> anyhow::Result<()> {
        match self {
            Self::Sidecar(args) => sidecar::run(*args, shell).await,
            Self::Store(args) => gateway::run(*args, shell).await,
            Self::Up(args) => up::run(*args, shell).await,
            Self::Query(args) => query::run(*args, shell).await,
            Self::Tools(args) => tools::run(*args, shell).await,
            Self::Compact(args) => compact::run(*args, shell).await,
        }
    }
}

/// The command line with all flags of Thanos.
fn command() -> clap::Command {
    INERT.iter().fold(Cli::command(), |command, (name, own)| {
        command.mut_subcommand(name, |c| accept_inert(accept_inert(c, own), COMMON_INERT))
    })
}

fn main() -> ExitCode {
    let parsed = parse(command(), std::env::args_os()).and_then(|m| Cli::from_arg_matches(&m).map(|cli| (cli, m)));
    let (mut cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => {
            // Nothing is left to say where standard error is gone.
            let _printed = e.print();
            return u8::try_from(e.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let (name, below) = matches.subcommand().unwrap_or(("esker", &matches));
    if let Role::Query(args) = &mut cli.role
        && let Some(command) = command().find_subcommand("query")
    {
        args.flags = query::shown_flags(command, below);
    }
    daemon::process::run(name, &cli.process, |shell| async move {
        let own = INERT.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, list)| list);
        report_inert(below, own)?;
        report_inert(below, COMMON_INERT)?;
        cli.role.run(shell).await
    })
}

#[cfg(test)]
mod tests;
