//! What compaction does to a bucket, whatever goes wrong.

mod bed;
mod cleaning;
mod crash;
mod faults;
mod service;
mod vertical;
