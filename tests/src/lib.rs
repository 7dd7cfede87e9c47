//! What the end-to-end tests stand on: the binary as processes on free ports, a plain HTTP client, and
//! a comparison of answers that knows which differences count.

pub mod compare;
pub mod fixture;
pub mod http;
pub mod process;
pub mod tier;
