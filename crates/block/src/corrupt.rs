use std::fmt;

/// Bytes that are not what the format says: which object, where in it, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// The file or object, e.g. `01ABC…/index`; empty where only the caller knows it.
    pub file: String,
    /// Byte offset within it.
    pub offset: u64,
    pub what: String,
}

impl Corrupt {
    #[must_use]
    pub fn new(offset: u64, what: impl Into<String>) -> Self {
        Self { file: String::new(), offset, what: what.into() }
    }

    /// Names the file, where it is not named yet, and moves the offset to where the part lies in it.
    #[must_use]
    pub fn within(mut self, file: &str, base: u64) -> Self {
        if self.file.is_empty() {
            self.file = file.to_owned();
            self.offset += base;
        }
        self
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() {
            return write!(f, "corrupt at offset {}: {}", self.offset, self.what);
        }
        write!(f, "{}: corrupt at offset {}: {}", self.file, self.offset, self.what)
    }
}

impl std::error::Error for Corrupt {}
