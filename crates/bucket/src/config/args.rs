//! The flag pair `--objstore.config` and `--objstore.config-file`.

use std::path::{Path, PathBuf};

use super::{HEDGE_BUDGET, ObjstoreConfig};
use crate::{Error, Result};

/// Where the bucket configuration comes from.
#[derive(Clone, Debug, clap::Args)]
pub struct ObjstoreArgs {
    /// Path to the YAML file with the object store configuration
    #[arg(long = "objstore.config-file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// The object store configuration as YAML; takes the place of --objstore.config-file
    #[arg(long = "objstore.config", value_name = "YAML")]
    pub config: Option<String>,

    /// At most this share of reads is asked a second time because the answer is late; 0 asks none twice
    #[arg(long = "objstore.hedge-budget", value_name = "SHARE", default_value_t = HEDGE_BUDGET)]
    pub hedge_budget: f64,
}

impl Default for ObjstoreArgs {
    fn default() -> Self {
        Self { config_file: None, config: None, hedge_budget: HEDGE_BUDGET }
    }
}

impl ObjstoreArgs {
    /// The configuration, or `None` where neither flag is given.
    ///
    /// # Errors
    /// When both are given, the file cannot be read, a `$(VAR)` in it is not set, or the YAML is wrong.
    pub fn load(&self) -> Result<Option<ObjstoreConfig>> {
        self.load_with(|name| std::env::var(name).ok())
    }

    /// As [`Self::load`], for components that cannot do without a bucket.
    ///
    /// # Errors
    /// As [`Self::load`], and when neither flag is given.
    pub fn require(&self) -> Result<ObjstoreConfig> {
        self.load()?.ok_or_else(|| {
            let flags = "objstore.config-file or objstore.config";
            Error::Config(format!("flag {flags} is required for running this command and content cannot be empty"))
        })
    }

    fn load_with(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<ObjstoreConfig>> {
        let text = path_or_content("objstore.config", self.config_file.as_deref(), self.config.as_deref())?;
        let Some(text) = text else { return Ok(None) };
        let text = model::variables::expand(&text, variable).map_err(|e| Error::Config(e.to_string()))?;
        if !(0.0..=1.0).contains(&self.hedge_budget) {
            return Err(Error::Config(format!("objstore.hedge-budget {}: not from 0 to 1", self.hedge_budget)));
        }
        Ok(Some(ObjstoreConfig { hedge_budget: self.hedge_budget, ..ObjstoreConfig::parse(&text)? }))
    }
}

/// What one of the flags `--<name>-file` and `--<name>` gives; `None` for neither, or nothing.
///
/// # Errors
/// When both are given or the file cannot be read.
pub fn path_or_content(name: &str, file: Option<&Path>, inline: Option<&str>) -> Result<Option<String>> {
    let file = file.filter(|path| !path.as_os_str().is_empty());
    let text = match (file, inline.filter(|text| !text.is_empty())) {
        (Some(_), Some(_)) => return Err(Error::Config(format!("both {name}-file and {name} flags set"))),
        (Some(path), None) => std::fs::read_to_string(path)
            .map_err(|e| Error::Config(format!("loading file {} for {name}-file: {e}", path.display())))?,
        (None, Some(text)) => text.to_owned(),
        (None, None) => return Ok(None),
    };
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}
