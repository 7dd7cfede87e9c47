use std::sync::Mutex;

/// Something the answer lacks: which external labels, which time range, why (contract C5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    /// External labels of what could not be read; empty where unknown.
    pub labels: Vec<(String, String)>,
    /// Closed range in Unix milliseconds.
    pub min_time: i64,
    pub max_time: i64,
    /// The store's name or address.
    pub store: String,
    pub cause: String,
}

/// Collects, over all layers of one request, what is missing, the warnings and the resolutions read.
#[derive(Debug, Default)]
pub struct Coverage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    missing: Vec<Missing>,
    warnings: Vec<String>,
    infos: Vec<String>,
    resolutions_ms: Vec<i64>,
}

impl Coverage {
    pub fn add_missing(&self, missing: Missing) {
        push_new(&mut self.lock().missing, missing);
    }

    /// A warning for the user: the answer may be wrong or incomplete.
    pub fn warn(&self, text: impl Into<String>) {
        push_new(&mut self.lock().warnings, text.into());
    }

    /// A note for the user: the answer is right, the query may not be what was meant.
    pub fn inform(&self, text: impl Into<String>) {
        push_new(&mut self.lock().infos, text.into());
    }

    /// Data of this resolution (0 is raw) was read.
    pub fn read_resolution(&self, resolution_ms: i64) {
        push_new(&mut self.lock().resolutions_ms, resolution_ms);
    }

    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.lock().missing.clone()
    }

    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.lock().warnings.clone()
    }

    #[must_use]
    pub fn infos(&self) -> Vec<String> {
        self.lock().infos.clone()
    }

    /// Ascending.
    #[must_use]
    pub fn resolutions_ms(&self) -> Vec<i64> {
        let mut all = self.lock().resolutions_ms.clone();
        all.sort_unstable();
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
