//! A source in memory, and what every [`Queryable`] has to hold.

mod conformance;
mod memory;

pub use conformance::check_queryable;
pub use memory::Memory;
