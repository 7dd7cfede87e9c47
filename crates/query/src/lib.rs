//! The querier: Prometheus' HTTP API over any store, and over many of them.
//!
//! Place: L4, a service. It reads parameters, gives each request a context with a deadline and a memory
//! account, lets so many queries run at a time, and leaves the rest to `engine`, `select` and `store`.
//!
//! Invariants: work stops when the client goes away or the deadline passes; an answer names what it
//! lacks; a wrong request is answered by what is wrong with it.

mod active;
mod analysis;
mod args;
mod asked;
mod evaluate;
mod features;
mod gate;
mod journal;
mod lookup;
mod page;
mod params;
mod querier;
mod respond;
mod routes;
mod run;
mod settings;
mod upstreams;

pub use args::{Args, INERT, LimitArgs, shown_flags};
pub use features::{FeatureArgs, Features};
pub use querier::{Querier, Upstreams};
pub use run::run;
pub use settings::Settings;
