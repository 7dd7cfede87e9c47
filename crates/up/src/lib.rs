//! up
mod demo;
