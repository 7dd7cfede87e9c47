//! The sidecar: stands beside one running Prometheus, ships its blocks to the bucket and serves its
//! head over the StoreAPI.
//!
//! Place: L4, a service.

mod client;

pub use client::{HttpConfig, PrometheusClient};
