//! `esker tools`: commands that do one thing and end.
//!
//! Place: L4. They print to the writer they are given and own no runtime of their own.

pub mod promqltest;

use std::io::Write;

/// The commands below `esker tools`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run test scripts of Prometheus (`load`, `eval`) against the query engine.
    Promqltest(promqltest::Args),
}

/// Runs a command; what it has to say goes to `out`.
///
/// # Errors
/// What the command failed with. The text is meant for the user.
pub fn run(command: Command, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        Command::Promqltest(args) => promqltest::run(&args, out),
    }
}
