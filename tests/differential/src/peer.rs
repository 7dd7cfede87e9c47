//! A local Prometheus over the same blocks.

use std::path::Path;

use anyhow::{Context, Result};
use e2e::http;
use e2e::process::{Process, free_port};

use crate::answer::Answer;
use crate::query::Query;

/// A running Prometheus; it ends with this.
#[derive(Debug)]
pub struct Peer {
    process: Process,
}

impl Peer {
    /// Starts `program` over the blocks in `data`; `features` go beside those that the language needs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(program: &Path, data: &Path, features: &[String]) -> Result<Self> {
        let config = data.join("prometheus.yml");
        std::fs::write(&config, "global:\n  scrape_interval: 1h\n")?;
        let address = format!("127.0.0.1:{}", free_port());
        let known = [
            "promql-experimental-functions",
            "promql-duration-expr",
            "promql-extended-range-selectors",
            "promql-binop-fill-modifiers",
        ];
        let features: Vec<&str> = known.into_iter().chain(features.iter().map(String::as_str)).collect();
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", data.display()),
            "--storage.tsdb.retention.time=100y".to_owned(),
            // Nothing is compacted.
            "--storage.tsdb.min-block-duration=2h".to_owned(),
            "--storage.tsdb.max-block-duration=2h".to_owned(),
            format!("--web.listen-address={address}"),
            format!("--enable-feature={}", features.join(",")),
            "--log.level=warn".to_owned(),
        ];
        let mut process = Process::start(program, "prometheus", data, address, &args)?;
        process.wait_ready()?;
        Ok(Self { process })
    }

    /// Asks it.
    ///
    /// # Errors
    /// When there is no answer, or none of the API's form.
    pub fn ask(&self, query: &Query) -> Result<Answer> {
        Answer::parse(&self.ask_json(query)?)
    }

    /// Asks it, for the answer's body.
    ///
    /// # Errors
    /// As [`Peer::ask`].
    pub fn ask_json(&self, query: &Query) -> Result<serde_json::Value> {
        let (path, params) = query.request();
        let asked = || http::post(&self.process.http, path, &params);
        // A connection can be lost.
        asked().or_else(|_| asked()).and_then(|answer| answer.json()).with_context(|| format!("ask {}", query.text))
    }
}
