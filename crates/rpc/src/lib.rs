//! [`store::Store`] over gRPC, both directions: [`serve`] offers any store as Thanos' `StoreAPI`, and
//! [`RemoteStore`] is a store that asks a peer.
//!
//! Place: L3. Invariants: what a peer sends is not trusted: it is checked or answered with an error, never
//! with a panic; what a store lacks crosses the wire as a warning of a fixed form that [`missing`] parses
//! back; dropping a stream ends the call; a request's deadline goes along.

mod assemble;
mod client;
mod error;
mod hints;
mod inspect;
mod metrics;
pub mod missing;
mod request;
mod response;
mod server;
mod snappy;
mod spawn;

pub use client::{ClientTls, Compression, RemoteSettings, RemoteStatus, RemoteStore};
pub use error::Error;
pub use inspect::Inspector;
pub use metrics::GrpcMetrics;
pub use server::{Contexts, ServerSettings, ServerTls, serve};
pub use spawn::spawn;

#[cfg(test)]
mod tests;
