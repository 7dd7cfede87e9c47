//! `meta.json` and the marks: what was read is written, fields that nobody knows included.

use block::meta::META_FILE;
use block::{BlockMeta, Corrupt, DeletionMark, NoCompactMark, NoDownsampleMark};
use serde_json::Value;

use crate::memory::bounded;
use crate::named;

/// The dearest byte: an empty list among many.
const MEMORY_FACTOR: usize = 256;

/// Checks bytes that are said to be a `meta.json`.
///
/// # Panics
/// When something does not hold.
pub fn check(file: &[u8]) {
    rewrite(file, META_FILE, BlockMeta::parse, BlockMeta::to_json);
}

/// Checks bytes that are said to be any of the marks.
///
/// # Panics
/// When something does not hold.
pub fn check_marks(file: &[u8]) {
    rewrite(file, DeletionMark::FILE, DeletionMark::parse, DeletionMark::to_json);
    rewrite(file, NoCompactMark::FILE, NoCompactMark::parse, NoCompactMark::to_json);
    rewrite(file, NoDownsampleMark::FILE, NoDownsampleMark::parse, NoDownsampleMark::to_json);
}

fn rewrite<T: PartialEq + std::fmt::Debug>(
    file: &[u8],
    name: &str,
    parse: fn(&[u8]) -> Result<T, Corrupt>,
    to_json: fn(&T) -> Vec<u8>,
) {
    let Some(value) = named(bounded(file.len(), MEMORY_FACTOR, || parse(file)), name, file.len()) else { return };
    let written = to_json(&value);
    let again = parse(&written).expect("what was just written");
    assert_eq!(to_json(&again), written);
    assert_eq!(again, value);
    let before: Value = serde_json::from_slice(file).expect("parsed before");
    let after: Value = serde_json::from_slice(&written).expect("parsed before");
    kept(&before, &after, name);
}

/// Whether everything of `before` stands in `after`; what says nothing may be left out.
fn kept(before: &Value, after: &Value, place: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                match after.get(key) {
                    Some(other) => kept(value, other, key),
                    None => assert!(says_nothing(value), "{key} of {place} is lost: {value}"),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len(), "{place}");
            before.iter().zip(after).for_each(|(a, b)| kept(a, b, place));
        }
        // Identifiers are read in either case and written in capitals.
        (Value::String(a), Value::String(b)) => assert!(a == b || a.len() == 26 && b.len() == 26, "{place}: {a} {b}"),
        (a, b) => assert!(a == b || says_nothing(a) && says_nothing(b), "{place}: {a} became {b}"),
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(says_nothing),
    }
}
