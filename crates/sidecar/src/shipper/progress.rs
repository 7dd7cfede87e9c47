use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Which blocks were shipped: Thanos' `thanos.shipper.json`, sorted by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    version: u32,
    #[serde(default)]
    uploaded: Vec<Ulid>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { version: 1, uploaded: Vec::new() }
    }
}

impl Progress {
    pub(super) fn of(mut uploaded: Vec<Ulid>) -> Self {
        uploaded.sort_unstable();
        uploaded.dedup();
        Self { version: 1, uploaded }
    }

    /// What stood in `before` and what was `done` since.
    pub(super) fn new(done: &[Ulid], before: &Self) -> Self {
        Self::of([done, &before.uploaded].concat())
    }

    pub(super) fn contains(&self, id: Ulid) -> bool {
        self.uploaded.binary_search(&id).is_ok()
    }

    /// The file's content; nothing where there is no file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
        };
        let progress: Self = serde_json::from_slice(&bytes).with_context(|| format!("parse {}", path.display()))?;
        ensure!(progress.version == 1, "{} has version {}, not 1", path.display(), progress.version);
        Ok(Self::of(progress.uploaded))
    }

    /// Replaces the file in one step.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let aside = path.with_extension("json.tmp");
        let mut text = Vec::new();
        let mut json =
            serde_json::Serializer::with_formatter(&mut text, serde_json::ser::PrettyFormatter::with_indent(b"\t"));
        self.serialize(&mut json)?;
        std::fs::write(&aside, text).with_context(|| format!("write {}", aside.display()))?;
        std::fs::rename(&aside, path).with_context(|| format!("replace {}", path.display()))
    }
}
