//! Watches Prometheus' configuration and rules: expands variables in the configuration file, writes it
//! where Prometheus reads it, and asks Prometheus to reload when anything changed.
//!
//! Files are looked at by content, so symbolic links that are swapped (as Kubernetes does) and files that
//! are written in place are both seen.

mod metrics;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use daemon::worker::Worker;
use daemon::{Shell, now_ms};
use model::variables;
use tracing::info;

use crate::PrometheusClient;
use metrics::ReloaderMetrics;

/// What is watched and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloaderSettings {
    /// Prometheus' configuration with `$(VARIABLES)`; may be gzip-compressed.
    pub config_file: Option<PathBuf>,
    /// Where the expanded configuration is written.
    pub output_file: Option<PathBuf>,
    /// Folders with rule files.
    pub rule_dirs: Vec<PathBuf>,
    /// How often to look again after a reload that failed.
    pub retry_interval: Duration,
}

impl ReloaderSettings {
    /// Whether there is anything to watch.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.config_file.is_some() || !self.rule_dirs.is_empty()
    }
}

/// Watches and reloads.
#[derive(Debug)]
pub struct Reloader {
    settings: ReloaderSettings,
    client: PrometheusClient,
    metrics: ReloaderMetrics,
    /// What Prometheus was last told to load.
    loaded: Option<Content>,
}

/// The watched files by path, as they were last seen.
type Content = BTreeMap<PathBuf, Vec<u8>>;

impl Reloader {
    /// A reloader that registers its metrics with `shell`.
    #[must_use]
    pub fn new(shell: &Shell, settings: ReloaderSettings, client: PrometheusClient) -> Self {
        let metrics = shell.metrics().register(ReloaderMetrics::register);
        Self { settings, client, metrics, loaded: None }
    }

    /// Writes the expanded configuration once, without asking for a reload: Prometheus may be waiting for
    /// the file to start at all.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a variable is not set.
    pub fn apply(&self) -> Result<Content> {
        self.metrics.applies.inc();
        let applied = self.read_and_write();
        if applied.is_err() {
            self.metrics.apply_failures.inc();
        }
        applied
    }

    fn read_and_write(&self) -> Result<Content> {
        let mut content = Content::new();
        if let Some(path) = &self.settings.config_file {
            let text = read_config(path)?;
            let expanded = variables::expand(&text, |name| std::env::var(name).ok());
            self.metrics.variable_errors.set(i64::from(expanded.is_err()));
            let expanded = expanded.with_context(|| format!("expand {}", path.display()))?;
            if let Some(output) = &self.settings.output_file {
                replace(output, expanded.as_bytes())?;
            }
            content.insert(path.clone(), expanded.into_bytes());
        }
        for dir in &self.settings.rule_dirs {
            read_folder(dir, &mut content)?;
        }
        Ok(content)
    }

    async fn reload_if_changed(&mut self) -> Result<()> {
        let content = self.apply()?;
        if self.loaded.as_ref() == Some(&content) {
            return Ok(());
        }
        self.metrics.reloads.inc();
        let reloaded = self.client.reload().await;
        self.metrics.last_successful.set(i64::from(reloaded.is_ok()));
        if let Err(e) = reloaded {
            self.metrics.reload_failures.inc();
            return Err(e.context("reload Prometheus' configuration"));
        }
        self.metrics.last_success_seconds.set(now_ms() / 1000);
        info!(files = content.len(), "Prometheus has loaded its configuration anew");
        self.loaded = Some(content);
        Ok(())
    }
}

impl Worker for Reloader {
    fn name(&self) -> &'static str {
        "reloader"
    }

    async fn work(&mut self) -> Result<()> {
        // Retries come sooner than the runner's pauses would let them.
        while let Err(e) = self.reload_if_changed().await {
            tracing::warn!(error = format!("{e:#}"), "trying again");
            tokio::time::sleep(self.settings.retry_interval).await;
        }
        Ok(())
    }
}

/// The text of a configuration file, decompressed where it is gzip.
fn read_config(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let read = flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text);
        read.with_context(|| format!("decompress {}", path.display()))?;
        return Ok(text);
    }
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Writes `bytes` to `path` in one step, unless they are there already.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let aside = path.with_extension("tmp");
    std::fs::write(&aside, bytes).with_context(|| format!("write {}", aside.display()))?;
    std::fs::rename(&aside, path).with_context(|| format!("replace {}", path.display()))
}

/// All files below `dir`, links followed.
fn read_folder(dir: &Path, content: &mut Content) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry.with_context(|| format!("read {}", dir.display()))?.path();
        // Kubernetes keeps the real files in folders that begin with two dots and links to them.
        if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("..")) {
            continue;
        }
        if path.is_dir() {
            read_folder(&path, content)?;
        } else {
            let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            content.insert(path, bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
