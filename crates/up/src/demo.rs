//! A small world to look at without a Prometheus at hand: two clusters, one watched by an HA pair of
//! servers and one by a single server, with traffic, incidents, restarts, deployments and outages.
//!
//! Everything is a function of time, so all replicas scrape the same targets and history goes on where it
//! ended, whenever the process is started again.

mod chance;
mod fill;
mod grow;
mod head;
mod scrape;
mod target;
mod world;

pub(crate) use fill::{BLOCK_MS, fill, upload};
pub(crate) use grow::Grow;
pub(crate) use head::Head;
pub(crate) use scrape::{DemoSeries, SCRAPE_MS, Source, sources};

#[cfg(test)]
mod tests;
