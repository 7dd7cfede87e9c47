use block::{Corrupt, Ulid, WriteError};

/// What can go wrong in compaction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bucket failed: the next cycle tries again.
    #[error(transparent)]
    Bucket(#[from] bucket::Error),
    /// An input block is damaged: it is marked as not to be compacted.
    #[error("block {block}: {corrupt}")]
    Corrupt { block: Ulid, corrupt: Corrupt },
    /// The merged block could not be written: look at the disk below `--data-dir`.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Chunks of downsampled blocks overlap, which cannot be merged.
    #[error("block {block}: downsampled chunks overlap those of another block")]
    Overlap { block: Ulid },
    /// The bucket's description is not complete, so that nothing can be concluded from it.
    #[error("incomplete view of the bucket: {0}")]
    Incomplete(String),
    /// The work was given up because of a shutdown.
    #[error("stopped")]
    Stopped,
    /// A worker thread panicked.
    #[error("merging panicked: {0}")]
    Panicked(String),
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;
