use std::path::PathBuf;

use thiserror::Error;

/// Why a block could not be written. What was written so far is of no use.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file system said no: retry elsewhere or make room.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The input breaks an invariant of the format: the caller has to sort or merge it first.
    #[error("{0}")]
    Input(String),
    /// A part would grow beyond what the format can address.
    #[error("{0} is too large for the index format")]
    TooLarge(&'static str),
}
