//! Command-line flags in the manner of Thanos (whose parser is kingpin): groups, kinds of values, the
//! `--no-` forms of switches, and flags that are taken without an effect.

mod bytes;
mod duration;
mod groups;
mod inert;
mod kingpin;
mod label;
mod time;

pub use bytes::Bytes;
pub use duration::{GoDuration, ModelDuration};
pub use groups::{GrpcArgs, HttpArgs, ProcessArgs};
pub use inert::{COMMON_INERT, Inert, accept_inert, report_inert};
pub use kingpin::{Parsed, parse, switches};
pub use label::LabelFlag;
pub use time::TimeOrDuration;

/// Why a flag's value is not of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FlagError(pub(crate) String);

#[cfg(test)]
mod tests;
