//! Prometheus' test scripts: `load` series, `eval` queries, compare. Run as Prometheus' own harness runs
//! them, against the real engine and a source in memory.
//!
//! Place: L3, above `engine` and `promql`. No I/O: the caller reads files and prints.
//!
//! Invariants: a script that does not parse fails, in whole or by command, and never counts as passed;
//! every expectation written is checked.

mod compare;
mod histogram;
mod number;
mod run;
mod script;
mod series;
mod storage;

pub use run::{Failure, Report, Tester};
pub use script::{Command, Eval, Expect, ExpectKind, Expected, Load, LoadSeries, Pattern, ScriptError, Steps, parse};
pub use series::{SequenceValue, parse_series};
