//! What the end-to-end tests stand on: the binary as processes on free ports, and a plain HTTP client.

pub mod fixture;
pub mod http;
pub mod process;
pub mod tier;
