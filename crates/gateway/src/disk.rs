//! Copies of indexes on local disk, within a number of bytes: the least recently used go first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use block::Ulid;
use parking_lot::Mutex;

/// The copy of an index below a folder of the block's name.
const INDEX_COPY: &str = "index";
/// The ends of one that is read by ranges, there as well.
const INDEX_ENDS: &str = "index.ends";

/// The folder that copies lie in. It may be emptied at any time.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    copies: HashMap<Ulid, Copy>,
    bytes: u64,
    /// Counts uses.
    clock: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Copy {
    bytes: u64,
    /// [`PENDING`] while it is being fetched.
    used: u64,
}

/// Room is taken, but there is no copy yet.
const PENDING: u64 = u64::MAX;

impl Disk {
    /// Finds the copies of earlier days, the oldest used longest ago. 0 bytes is no limit.
    pub(crate) fn open(dir: &Path, bytes_max: u64) -> Self {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| Ulid::from_string(name).ok()) else { continue };
            let kept = [INDEX_COPY, INDEX_ENDS].into_iter().find_map(|name| entry.path().join(name).metadata().ok());
            if let Some(copy) = kept {
                found.push((copy.accessed().or_else(|_| copy.modified()).ok(), id, copy.len()));
            }
        }
        found.sort_unstable();
        let disk = Self { dir: dir.to_owned(), bytes_max, state: Mutex::default() };
        found.into_iter().for_each(|(_, id, bytes)| disk.added(id, bytes));
        // The limit may have been another one then.
        let gone = if bytes_max == 0 { None } else { disk.state.lock().evict(bytes_max) };
        for id in gone.into_iter().flatten() {
            disk.remove_files(id);
        }
        disk
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn copy_path(&self, block: Ulid) -> PathBuf {
        self.dir.join(block.to_string()).join(INDEX_COPY)
    }

    pub(crate) fn ends_path(&self, block: Ulid) -> PathBuf {
        self.dir.join(block.to_string()).join(INDEX_ENDS)
    }

    /// 0 is no limit.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Whether so many bytes more need none to go.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.bytes_max == 0 || self.state.lock().bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// Removes what is kept of an index.
    pub(crate) fn remove_files(&self, block: Ulid) {
        for path in [self.copy_path(block), self.ends_path(block)] {
            // What stays is found again at the next start.
            let _gone = std::fs::remove_file(path);
        }
    }

    /// Takes room for a copy of `bytes`, until it is [`added`](Self::added) or [`removed`](Self::removed). Gives
    /// the copies that have to go for it; they count as gone. `None`: it does not fit, now or ever.
    pub(crate) fn make_room(&self, block: Ulid, bytes: u64) -> Option<Vec<Ulid>> {
        let mut state = self.state.lock();
        state.remove(block);
        let gone = match self.bytes_max {
            0 => Vec::new(),
            max => state.evict(max.checked_sub(bytes)?)?,
        };
        state.bytes += bytes;
        state.copies.insert(block, Copy { bytes, used: PENDING });
        Some(gone)
    }

    pub(crate) fn added(&self, block: Ulid, bytes: u64) {
        let mut state = self.state.lock();
        state.remove(block);
        state.clock += 1;
        state.bytes += bytes;
        let used = state.clock;
        state.copies.insert(block, Copy { bytes, used });
    }

    pub(crate) fn used(&self, block: Ulid) {
        let mut state = self.state.lock();
        state.clock += 1;
        let now = state.clock;
        if let Some(copy) = state.copies.get_mut(&block).filter(|copy| copy.used != PENDING) {
            copy.used = now;
        }
    }

    /// Gives room back that was taken and not used, when it is dropped.
    pub(crate) fn unless_added(&self, block: Ulid) -> impl Drop + '_ {
        Taken { disk: self, block }
    }

    pub(crate) fn removed(&self, block: Ulid) {
        self.state.lock().remove(block);
    }

    /// For people.
    pub(crate) fn debug(&self) -> serde_json::Value {
        let state = self.state.lock();
        serde_json::json!({
            "copies": state.copies.len(),
            "bytes": state.bytes,
            "max_bytes": self.bytes_max,
            "evicted": state.evicted,
        })
    }
}

struct Taken<'a> {
    disk: &'a Disk,
    block: Ulid,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.copies.get(&self.block).is_some_and(|copy| copy.used == PENDING) {
            state.remove(self.block);
        }
    }
}

impl State {
    /// Forgets the least recently used until no more than `bytes_max` are left.
    /// `None`: what is being fetched leaves no room, and nothing was forgotten.
    fn evict(&mut self, bytes_max: u64) -> Option<Vec<Ulid>> {
        let pending: u64 = self.copies.values().filter(|c| c.used == PENDING).map(|c| c.bytes).sum();
        if pending > bytes_max {
            return None;
        }
        let mut gone = Vec::new();
        while self.bytes > bytes_max {
            let kept = self.copies.iter().filter(|(_, copy)| copy.used != PENDING);
            let (&oldest, _) = kept.min_by_key(|(_, copy)| copy.used)?;
            self.remove(oldest);
            self.evicted += 1;
            gone.push(oldest);
        }
        Some(gone)
    }

    fn remove(&mut self, block: Ulid) {
        if let Some(copy) = self.copies.remove(&block) {
            self.bytes -= copy.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_copies_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = [1, 2, 3].map(|n| Ulid::from_parts(n, 0));
        let disk = Disk::open(dir.path(), 100);
        disk.added(a, 40);
        disk.added(b, 40);
        disk.used(a);
        assert_eq!(disk.make_room(c, 20), Some(Vec::new()));
        disk.removed(c);
        assert_eq!(disk.make_room(c, 30), Some(vec![b]));
        assert_eq!(disk.make_room(b, 80), None, "what is being fetched stays");
        disk.added(c, 30);
        assert_eq!(disk.make_room(b, 101), None);
        assert_eq!(disk.make_room(b, 100), Some(vec![a, c]));
        assert_eq!(Disk::open(dir.path(), 0).make_room(a, u64::MAX), Some(Vec::new()));
    }

    #[test]
    fn copies_of_earlier_days_count() {
        let dir = tempfile::tempdir().unwrap();
        let id = Ulid::from_parts(1, 1);
        let path = Disk::open(dir.path(), 10).copy_path(id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, [0; 8]).unwrap();
        assert_eq!(Disk::open(dir.path(), 10).make_room(Ulid::nil(), 4), Some(vec![id]));
        assert!(path.exists());
        Disk::open(dir.path(), 7);
        assert!(!path.exists(), "over the limit of today");
    }
}
