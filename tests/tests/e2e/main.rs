//! The whole tier on real input, through its real binary.

mod bad_input;
mod golden_query;
mod killed_upload;
mod limits;
mod promtool;
mod s3;
mod tier;
