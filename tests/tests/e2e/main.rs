//! The whole tier on real input, through its real binary.

mod golden_query;
mod s3;
mod tier;
