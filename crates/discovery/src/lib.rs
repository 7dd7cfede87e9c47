//! Addresses of other components: given as they are, or found through DNS.
//!
//! Place: L3. It looks names up when it is asked to; the service that owns it decides when, and in
//! which task.
//!
//! Invariants: a failed lookup keeps what the last good one gave; the list is sorted and has each
//! address once.

mod address;
mod dns;
mod error;
mod targets;

pub use address::Address;
pub use dns::{Dns, Resolve, Service};
pub use error::Error;
pub use targets::Targets;
