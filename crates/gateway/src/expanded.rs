//! Selections that were dear to make, compressed, under the block and the matchers.

use std::fmt::Write;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use block::Ulid;
use block::postings::Selected;
use bytes::Bytes;
use cache::Cache;
use model::{MatchOp, Matcher};
use xxhash_rust::xxh64::xxh64;

/// A selection that took less is made again sooner than it is fetched and unpacked.
const DEAR: Duration = Duration::from_millis(1);
/// More members are not kept.
const MEMBERS_MAX: usize = 4 << 20;
const LEVEL: i32 = 1;

/// The index cache, as far as one is needed beside local indexes.
#[derive(Clone, Debug)]
pub(crate) struct Expanded {
    cache: Arc<Cache>,
    ttl: Duration,
}

impl Expanded {
    pub(crate) fn new(cache: Cache, ttl: Duration) -> Self {
        Self { cache: Arc::new(cache), ttl }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What `matchers` selected of the block before, if that was dear. Only regular expressions are.
    pub(crate) async fn get(&self, block: Ulid, matchers: &[Matcher]) -> Option<Vec<u32>> {
        if !may_be_dear(matchers) {
            return None;
        }
        let found = self.cache.get(&[key(block, matchers)]).await.pop().flatten()?;
        unpack(&found)
    }

    /// Keeps what took `took` to select.
    pub(crate) fn put(&self, block: Ulid, matchers: &[Matcher], selected: &Selected, took: Duration) {
        if took < DEAR || !may_be_dear(matchers) || selected.len() > MEMBERS_MAX {
            return;
        }
        // A list as it stands in the index is quickly found again.
        let Selected::Own(members) = selected else { return };
        if let Some(packed) = pack(members) {
            self.cache.put(key(block, matchers), packed, self.ttl);
        }
    }
}

fn may_be_dear(matchers: &[Matcher]) -> bool {
    matchers.iter().any(|m| matches!(m.op, MatchOp::Regex | MatchOp::NotRegex))
}

/// Short whatever the matchers are; two hashes of 64 bits stand for them.
fn key(block: Ulid, matchers: &[Matcher]) -> String {
    let mut text = String::new();
    for matcher in matchers {
        // Writing to a string does not fail.
        let _ok = write!(text, "{matcher},");
    }
    format!("EP:{block}:{:016x}{:016x}", xxh64(text.as_bytes(), 0), xxh64(text.as_bytes(), 1))
}

/// The differences as variable-length numbers, compressed.
fn pack(members: &[u32]) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(members.len() * 2);
    let mut last = 0;
    for &member in members {
        let mut step = member.wrapping_sub(last);
        last = member;
        while step >= 0x80 {
            bytes.push(step as u8 | 0x80);
            step >>= 7;
        }
        bytes.push(step as u8);
    }
    zstd::encode_all(&bytes[..], LEVEL).ok().map(Bytes::from)
}

/// `None` for what is not a selection: a cache is not trusted.
fn unpack(packed: &[u8]) -> Option<Vec<u32>> {
    let mut bytes = Vec::new();
    let limit = MEMBERS_MAX as u64 * 5;
    zstd::Decoder::new(packed).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    let (mut members, mut last) = (Vec::new(), 0_u32);
    let (mut step, mut shift) = (0_u32, 0);
    for byte in bytes {
        step |= u32::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            let ascends = step > 0 || members.is_empty();
            last = last.checked_add(step).filter(|_| ascends)?;
            members.push(last);
            (step, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_packed_and_unpacked() {
        for members in
            [vec![], vec![0], vec![7], vec![0, 1, 2, 300, 70_000, u32::MAX], (0..10_000).map(|i| i * 3).collect()]
        {
            let packed = pack(&members).unwrap();
            assert_eq!(unpack(&packed), Some(members));
        }
        assert_eq!(unpack(b"nonsense"), None);
        // Members that do not ascend, and one that is cut off.
        for wrong in [&[5, 0][..], &[0x80], &[0xff, 0xff, 0xff, 0xff, 0x7f, 1]] {
            let packed = zstd::encode_all(wrong, LEVEL).unwrap();
            assert_eq!(unpack(&packed), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn only_dear_selections_are_kept() {
        let (cache, _) = Cache::new(&cache::Config::Memory(cache::MemoryConfig::of(1 << 20))).unwrap();
        let expanded = Expanded::new(cache, Duration::from_secs(60));
        let block = Ulid::from_parts(1, 1);
        let regex = [Matcher::new(MatchOp::Regex, "a", "x.*y").unwrap()];
        let equal = [Matcher::equal("a", "x")];
        let selected = Selected::Own(vec![1, 2, 3]);
        for (matchers, took, kept) in [(&regex, 10, true), (&equal, 10, false)] {
            expanded.put(block, matchers, &selected, Duration::from_millis(took));
            assert_eq!(expanded.get(block, matchers).await.is_some(), kept);
        }
        let other = [Matcher::new(MatchOp::Regex, "a", "x.*z").unwrap()];
        expanded.put(block, &other, &selected, Duration::ZERO);
        assert_eq!(expanded.get(block, &other).await, None);
        assert_eq!(expanded.get(Ulid::from_parts(1, 2), &regex).await, None);
    }
}
