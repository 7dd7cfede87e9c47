use thiserror::Error;

/// Why an address cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The text is no address; correct the flag or file it came from.
    #[error("address {address:?}: {why}")]
    Malformed { address: String, why: &'static str },
    /// The name server failed or could not be asked; the last known addresses stay in use.
    #[error("lookup of {name:?}: {why}")]
    Lookup { name: String, why: String },
    /// The resolver could not be set up from the system's configuration.
    #[error("set up the DNS resolver: {0}")]
    Setup(String),
}
