//! The Prometheus HTTP JSON: parameters in, envelope and results out.
//!
//! Place: L1, pure; beside `model` it depends on what it writes: syntax trees of `promql`, counters of `request`. It knows no HTTP library: a service hands it the
//! query string and the form body, and sends the bytes it gives back.
//!
//! Invariants: only this crate knows Prometheus' JSON. Numbers are printed as Prometheus prints them.
//! Results are written straight from [`model::Value`] into pieces that can be written side by side, so an
//! answer is never held twice as a whole.

mod answer;
mod error;
mod number;
mod params;
mod pieces;
mod plan;
mod stats;
mod status;
mod syntax;
mod text;
mod time;

pub use answer::{Coverage, Extras, MissingPart, Notes, answer, label_sets, names, query_result};
pub use error::{ApiError, ErrorType, Limit};
pub use number::{write_float, write_time};
pub use params::Params;
pub use pieces::{Pieces, Write};
pub use plan::{NodeTook, PlanNode, PlanTree, Visit, go_duration};
pub use stats::QueryStats;
pub use status::{ActiveQuery, BuildInfo, RuntimeInfo, StoreStatus, stores};
pub use syntax::syntax_tree;
pub use text::{parse_bool, quote};
pub use time::{format_rfc3339, parse_duration, parse_time};

/// The content type of every answer.
pub const CONTENT_TYPE: &str = "application/json";
