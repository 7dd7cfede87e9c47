//! The sidecar: stands beside one running Prometheus, ships its blocks to the bucket and serves its
//! head over the StoreAPI.
//!
//! Place: L4, a service. [`PrometheusStore`] and [`Shipper`] also run inside `esker up`.
//!
//! Failure: while Prometheus is down the sidecar is not ready and its store's requests fail; shipping
//! goes on. A block that cannot be shipped is tried again, in order, and is named in the log.

mod args;
mod attach;
mod client;
mod head;
mod reloader;
mod run;
mod shipper;

pub use args::{Args, INERT};
pub use attach::{AttachSettings, attach};
pub use client::{HttpConfig, PrometheusClient};
pub use head::{HeadState, PrometheusStore};
pub use reloader::{Reloader, ReloaderSettings};
pub use run::run;
pub use shipper::{Shipped, Shipper, ShipperMetrics, ShipperSettings};
