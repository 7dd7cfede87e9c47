//! Choosing blocks by relabelling their external labels: how several stores or compactors share a bucket.
//!
//! Prometheus' relabelling, of which Thanos allows `keep`, `drop` and `hashmod` here. The rules see the
//! block's external labels and `__block_id`; a block whose label set ends up dropped is left out.

mod md5;

use std::collections::BTreeMap;
use std::path::PathBuf;

use block::meta::BlockMeta;
use model::regex::Regex;
use serde::Deserialize;

use crate::config::{path_or_content, yaml};
use crate::{Error, Result};

/// The label that stands for a block's id where blocks are chosen by their external labels; as in Thanos.
pub const BLOCK_ID: &str = "__block_id";

/// Where the rules come from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SelectorArgs {
    /// Path to the YAML file with relabelling rules that choose blocks by their external labels and __block_id
    #[arg(id = "selector.relabel-config-file", long = "selector.relabel-config-file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// The rules as YAML (actions keep, drop and hashmod); takes the place of --selector.relabel-config-file
    #[arg(id = "selector.relabel-config", long = "selector.relabel-config", value_name = "YAML")]
    pub config: Option<String>,
}

impl SelectorArgs {
    /// The rules; none where neither flag is given.
    ///
    /// # Errors
    /// When both flags are given, the file cannot be read, a `$(VAR)` is not set, or the rules are wrong.
    pub fn load(&self) -> Result<Selector> {
        let variable = |name: &str| std::env::var(name).ok();
        let text = path_or_content("selector.relabel-config", self.config_file.as_deref(), self.config.as_deref())?;
        let Some(text) = text else { return Ok(Selector::default()) };
        let text = model::variables::expand(&text, variable).map_err(|e| Error::Config(e.to_string()))?;
        Selector::parse(&text)
    }
}

/// Rules that choose blocks; without any, all are chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    source_labels: Vec<String>,
    separator: String,
    pattern: String,
    regex: Regex,
    action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Keep,
    Drop,
    HashMod { modulus: u64, target_label: String },
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        let parts = |r: &Self| (r.source_labels.clone(), r.separator.clone(), r.pattern.clone(), r.action.clone());
        parts(self) == parts(other)
    }
}

/// A rule as it is written. Keys of other actions are taken and mean nothing.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    source_labels: Vec<String>,
    #[serde(default = "semicolon", deserialize_with = "yaml::text")]
    separator: String,
    #[serde(default = "anything", deserialize_with = "yaml::text")]
    regex: String,
    #[serde(default)]
    modulus: u64,
    #[serde(default, deserialize_with = "yaml::text")]
    target_label: String,
    #[serde(default = "replace", deserialize_with = "yaml::text")]
    action: String,
}

fn semicolon() -> String {
    ";".to_owned()
}

fn anything() -> String {
    "(.*)".to_owned()
}

fn replace() -> String {
    "replace".to_owned()
}

impl Selector {
    /// Reads a list of rules.
    ///
    /// # Errors
    /// For what is not such a list, and for any action but `keep`, `drop` and `hashmod`.
    pub fn parse(text: &str) -> Result<Self> {
        let config = |what: String| Error::Config(format!("selector.relabel-config: {what}"));
        let rules: Option<Vec<Written>> = serde_yaml::from_str(text).map_err(|e| config(e.to_string()))?;
        let read = |(number, written): (usize, Written)| {
            written.rule().map_err(|what| config(format!("rule {}: {what}", number + 1)))
        };
        Ok(Self { rules: rules.into_iter().flatten().enumerate().map(read).collect::<Result<_>>()? })
    }

    /// Whether a block is chosen. `ignored` labels are not seen by the rules: those in which replicas
    /// differ, where these are merged.
    #[must_use]
    pub fn chooses(&self, meta: &BlockMeta, ignored: &[String]) -> bool {
        if self.rules.is_empty() {
            return true;
        }
        let id = meta.ulid.to_string();
        let external = meta.thanos.iter().flat_map(|t| &t.labels).map(|(n, v)| (n.as_str(), v.clone()));
        let mut labels: BTreeMap<&str, String> = external.filter(|(n, _)| !ignored.iter().any(|i| i == n)).collect();
        labels.entry(BLOCK_ID).or_insert(id);
        self.rules.iter().all(|rule| rule.apply(&mut labels))
    }
}

impl Written {
    fn rule(self) -> Result<Rule, String> {
        let action = match self.action.to_ascii_lowercase().as_str() {
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            "hashmod" if self.modulus == 0 => {
                return Err("relabel configuration for hashmod requires non-zero modulus".to_owned());
            }
            "hashmod" if self.target_label.is_empty() => {
                return Err("relabel configuration for hashmod action requires 'target_label' value".to_owned());
            }
            "hashmod" => Action::HashMod { modulus: self.modulus, target_label: self.target_label },
            known @ ("replace" | "keepequal" | "dropequal" | "labelmap" | "labeldrop" | "labelkeep" | "lowercase"
            | "uppercase") => return Err(format!("unsupported relabel action: {known} (use keep, drop or hashmod)")),
            _ => return Err(format!("unknown relabel action {:?}", self.action)),
        };
        let regex = Regex::new(&self.regex).map_err(|e| e.to_string())?;
        let (source_labels, separator, pattern) = (self.source_labels, self.separator, self.regex);
        Ok(Rule { source_labels, separator, pattern, regex, action })
    }
}

impl Rule {
    /// `false`: the block is left out.
    fn apply<'a>(&'a self, labels: &mut BTreeMap<&'a str, String>) -> bool {
        let values = self.source_labels.iter().map(|name| labels.get(name.as_str()).map_or("", String::as_str));
        let value = values.collect::<Vec<_>>().join(&self.separator);
        match &self.action {
            Action::Keep => self.regex.is_match(&value),
            Action::Drop => !self.regex.is_match(&value),
            Action::HashMod { modulus, target_label } => {
                labels.insert(target_label, (md5::last_eight(value.as_bytes()) % modulus).to_string());
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
