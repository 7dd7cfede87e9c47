//! The third waist and what stands on it: PromQL evaluation over anything that selects samples.
//!
//! Place: L2, no I/O. The engine starts no thread or task and reads no clock; CPU work goes through
//! the request's pool, `now` comes with the request.
//!
//! Invariants: answers equal Prometheus' bit for bit where the order of operations is defined and to
//! 1e-9 elsewhere; they do not depend on the number of threads.

mod queryable;

pub use queryable::{Encoded, Error, Grid, Queryable, Select, SelectGrouping};
