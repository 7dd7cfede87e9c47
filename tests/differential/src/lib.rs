//! Esker's engine against Prometheus: random valid queries over random data, asked of both.
//!
//! Everything follows from one seed: the data ([`data`]), which are written as TSDB blocks that both
//! read ([`blocks`]), and each query ([`grammar`]). The bin of this package asks a Prometheus started
//! by path ([`peer`]); the test replays answers that were recorded from one ([`recorded`]). What may
//! differ, and why, stands in [`exceptions`], which look at the parts of a query where answers part
//! ([`culprit`]) and at both sides of them ([`sides`]); what changes no bit of Esker's own answers
//! stands in [`identity`].

pub mod answer;
pub mod blocks;
pub mod compare;
pub mod culprit;
pub mod data;
pub mod esker;
pub mod exceptions;
pub mod grammar;
pub mod identity;
pub mod peer;
pub mod query;
pub mod random;
pub mod recorded;
pub mod sides;
