//! Benchmarks: the data they run on, the servers they run against, and what they measure.
//!
//! Figures are ratios between servers that were given the same samples, measured in one run,
//! interleaved. Nothing here is asserted in a test; `RESULTS.md` keeps the latest table.

pub mod data;
pub mod fleet;
pub mod s3;
pub mod server;
pub mod wide;
pub mod workload;
