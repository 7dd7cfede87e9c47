use std::path::Path;

use block::{Corrupt, MappedFile};
use bytes::Bytes;
use parking_lot::Mutex;
use request::Reclaim;

/// All files that are mapped, so that their pages can be given back when memory is scarce.
#[derive(Debug, Default)]
pub(crate) struct Maps(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Vec<MappedFile>,
    /// At this length those that nobody uses any more are forgotten.
    sweep_at: usize,
}

impl Maps {
    /// Maps a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(&self, path: &Path) -> Result<Bytes, Corrupt> {
        let file = MappedFile::open(path)?;
        let bytes = file.bytes();
        let mut state = self.0.lock();
        if state.open.len() >= state.sweep_at {
            state.open.retain(|file| !file.is_unused());
            state.sweep_at = (state.open.len() * 2).max(64);
        }
        state.open.push(file);
        Ok(bytes)
    }

    /// Files that somebody uses.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().open.iter().filter(|file| !file.is_unused()).count()
    }
}

impl Reclaim for Maps {
    fn reclaim(&self) {
        let open = self.0.lock().open.clone();
        open.iter().for_each(MappedFile::give_back);
    }
}
