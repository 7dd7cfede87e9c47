use block::Corrupt;
use request::{Interrupted, MemoryExceeded};
use thiserror::Error;

/// Why a store gave no (further) answer.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The request makes no sense; tell the caller, do not retry.
    #[error("{0}")]
    BadRequest(String),
    /// A limit was reached; it is named. Narrow the request or raise the limit.
    #[error("{0}")]
    Exhausted(String),
    /// The store, or what it reads from, cannot be reached or failed. Retry, or answer without it.
    #[error("{0}")]
    Unavailable(String),
    /// Stored bytes are damaged. Retrying does not help; the block needs repair.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The request was cancelled or timed out.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<MemoryExceeded> for Error {
    fn from(e: MemoryExceeded) -> Self {
        Self::Exhausted(e.to_string())
    }
}
