//! The process shell: what every service needs around it, and nothing of what a service does.
//!
//! Place: L3. Services get a [`Shell`]; `esker` builds it with [`process::run`]. Logs, metrics, probes,
//! signals, task groups, the CPU pool, the clock, listening sockets, the HTTP server's frame and the kinds of
//! flags live here.
//!
//! Invariants: no statics for metrics, configuration or runtime, so that several components live in one
//! process; every task has an owner; a shutdown ends within the grace period and names what is still pending;
//! a request that panics answers 500 for itself, a background task that panics ends the process with a
//! non-zero code.

mod clock;
mod cpu;
mod deadline;
pub mod flags;
mod heap;
pub mod http;
mod listen;
pub mod log;
mod memory;
mod metrics;
mod probe;
pub mod process;
mod shell;
mod tasks;
pub mod worker;

pub use clock::now_ms;
pub use cpu::CpuThreads;
pub use listen::listen;
pub use metrics::Metrics;
pub use probe::Probe;
pub use shell::{Settings, Shell};
pub use tasks::{Pending, TaskGroup, TaskHandle};
