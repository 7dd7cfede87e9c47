//! The third waist and what stands on it: PromQL evaluation over anything that selects samples.
//!
//! Place: L2, no I/O. The engine starts no thread or task and reads no clock; CPU work goes through
//! the request's pool, `now` comes with the request.
//!
//! A query is planned into a list of nodes ([`plan`]) that run one after the other ([`exec`]). Selectors
//! are read series by series: decoded in bulk, rolled up on the step grid ([`rollup`]) and handed on to
//! the aggregation above, in parallel runs whose results come together in series order.
//!
//! Invariants: answers equal Prometheus' bit for bit where the order of operations is defined and to
//! 1e-9 elsewhere; they do not depend on the number of threads; an aggregation over a selector holds
//! groups × steps values, never samples.

mod date;
mod engine;
mod exec;
mod explain;
mod math;
mod native;
mod notes;
mod plan;
mod queryable;
mod rollup;
mod simd;
pub mod testing;
mod vector;

pub use engine::{Engine, Query, Settings};
pub use explain::{Explained, Explanation};
pub use plan::{Rewrite, Rewrites};
pub use queryable::{Decoded, Encoded, Error, Grid, Queryable, Samples, Select, SelectGrouping};
