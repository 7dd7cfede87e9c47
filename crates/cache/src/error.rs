use thiserror::Error;

/// Why a cache cannot be set up. Nothing else of a cache is an error.
#[derive(Debug, Error)]
pub enum Error {
    /// The YAML is wrong, or asks for what is not there. Correct it.
    #[error("cache configuration: {0}")]
    Config(String),
}
