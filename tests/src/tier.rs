//! Esker's components as processes, wired together as users wire them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::fixture::{PATIENCE, Prometheus};
use crate::http;
use crate::process::{Process, esker, free_port};

/// A component that serves HTTP and, but for `compact`, gRPC.
#[derive(Debug)]
pub struct Component {
    pub process: Process,
    /// `host:port` of its gRPC server.
    pub grpc: String,
}

impl Component {
    /// Starts `esker <role> <args>` on free ports.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(role: &str, name: &str, dir: &Path, args: &[String]) -> Result<Self> {
        let http = format!("127.0.0.1:{}", free_port());
        let grpc = format!("127.0.0.1:{}", free_port());
        let mut all = vec![role.to_owned(), format!("--http-address={http}"), format!("--grpc-address={grpc}")];
        all.extend_from_slice(args);
        let process = Process::start(esker(), name, dir, http, &all)?;
        Ok(Self { process, grpc })
    }

    /// As [`Component::start`], and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn ready(role: &str, name: &str, dir: &Path, args: &[String]) -> Result<Self> {
        let mut component = Self::start(role, name, dir, args)?;
        component.process.wait_ready()?;
        Ok(component)
    }
}

/// The flags of a sidecar beside `prometheus` that uploads to the bucket that `config` describes.
#[must_use]
pub fn sidecar_args(prometheus: &Prometheus, config: &Path) -> Vec<String> {
    vec![
        format!("--prometheus.url={}", prometheus.url()),
        format!("--tsdb.path={}", prometheus.path.display()),
        format!("--objstore.config-file={}", config.display()),
    ]
}

/// Starts a querier over `endpoints` and waits until it knows what all of them have.
///
/// # Errors
/// When that does not happen.
pub fn querier(name: &str, dir: &Path, endpoints: &[&str]) -> Result<Component> {
    querier_with(name, dir, endpoints, &[])
}

/// As [`querier`], with more flags.
///
/// # Errors
/// As [`querier`].
pub fn querier_with(name: &str, dir: &Path, endpoints: &[&str], flags: &[&str]) -> Result<Component> {
    let mut args: Vec<String> = endpoints.iter().map(|e| format!("--endpoint={e}")).collect();
    args.push("--query.replica-label=replica".to_owned());
    args.extend(flags.iter().map(|&flag| flag.to_owned()));
    let mut querier = Component::ready("query", name, dir, &args)?;
    let address = querier.process.http.clone();
    querier.process.wait("connected to all stores", |_| known(&address) == Some(endpoints.len()))?;
    Ok(querier)
}

/// How many stores a querier knows the labels of.
fn known(address: &str) -> Option<usize> {
    let answer = http::get::<&str, &str>(address, "/api/v1/stores", &[]).ok()?.json().ok()?;
    let all = answer["data"].as_object()?.values().flat_map(|list| list.as_array().into_iter().flatten());
    Some(all.filter(|s| s["lastError"].is_null() && s["labelSets"].as_array().is_some_and(|l| !l.is_empty())).count())
}

/// The names of the blocks that are visible in a bucket whose objects lie below `bucket`.
///
/// # Errors
/// When the folder cannot be read.
pub fn uploaded(bucket: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(bucket)? {
        let path = entry?.path();
        if path.join("meta.json").is_file() {
            found.extend(path.file_name().map(|n| n.to_string_lossy().into_owned()));
        }
    }
    Ok(found)
}

/// Waits until so many blocks are visible.
///
/// # Errors
/// When they do not come; with the output of `watched`.
pub fn wait_uploaded(bucket: &Path, blocks: usize, watched: &[&Process]) -> Result<()> {
    let start = Instant::now();
    while uploaded(bucket)?.len() < blocks {
        if start.elapsed() > PATIENCE {
            let output: Vec<String> = watched.iter().map(|p| p.output()).collect();
            bail!("{} of {blocks} blocks were uploaded:\n{}", uploaded(bucket)?.len(), output.join("\n"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Writes a bucket configuration.
///
/// # Errors
/// When the file cannot be written.
pub fn write_config(dir: &Path, name: &str, yaml: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    fs::write(&path, yaml)?;
    Ok(path)
}

/// The data of a successful answer.
///
/// # Errors
/// When there is none.
pub fn ask(address: &str, path: &str, params: &[(&str, &str)]) -> Result<Value> {
    let answer = http::get(address, path, params)?;
    let json = answer.json()?;
    if json["status"] != "success" {
        bail!("{path} {params:?} at {address}: status {}: {json}", answer.status);
    }
    Ok(json)
}

/// `answer` without these labels on its series.
#[must_use]
pub fn without_labels(mut answer: Value, labels: &[&str]) -> Value {
    for series in answer["data"]["result"].as_array_mut().into_iter().flatten() {
        if let Some(metric) = series["metric"].as_object_mut() {
            metric.retain(|name, _| !labels.contains(&name.as_str()));
        }
    }
    answer
}
