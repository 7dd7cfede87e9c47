//! Reports: to standard output, as a table or as JSON.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use block::Ulid;
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Writes to standard output.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    match written {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}

/// A table without borders.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    table
}

/// Unix milliseconds as RFC 3339; the number where that has no year.
pub(crate) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| t.to_string())
}

/// Bytes in the largest unit that leaves at least one.
pub(crate) fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (n.max(1).ilog2() / 10).min(4);
    if power == 0 {
        return format!("{n} B");
    }
    format!("{:.1} {}", n as f64 / (1u64 << (10 * power)) as f64, units[power as usize])
}

/// The block folders that `dirs` name: each is a block or holds blocks.
///
/// # Errors
/// When one cannot be read or holds none.
pub(crate) fn block_dirs(dirs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut blocks = Vec::new();
    for dir in dirs {
        if dir.join("index").exists() || dir.join("meta.json").exists() || block_id(dir).is_some() {
            blocks.push(dir.clone());
            continue;
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
            let path = entry.with_context(|| format!("read {}", dir.display()))?.path();
            if path.is_dir() && block_id(&path).is_some() {
                found.push(path);
            }
        }
        if found.is_empty() {
            bail!("{} is no block and holds none", dir.display());
        }
        found.sort();
        blocks.append(&mut found);
    }
    Ok(blocks)
}

/// The block's id by its folder's name.
pub(crate) fn block_id(dir: &Path) -> Option<Ulid> {
    dir.file_name()?.to_str()?.parse().ok()
}
