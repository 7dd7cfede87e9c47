//! `esker up`: a whole tier in one process, and the demo.
//!
//! Place: L5, the one place that composes services. The parts call one another as traits; there is no gRPC
//! between them. They share one shell, so they stop together and appear together under `/metrics`.
//!
//! Invariants: on a filesystem bucket this process is the only writer; what is not reachable by others is
//! not served to them: it listens on 127.0.0.1 unless told otherwise.

mod args;
mod attach;
mod demo;
mod parts;
mod run;

pub use args::Args;
pub use run::{run, start};
