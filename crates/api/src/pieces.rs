use std::fmt;
use std::sync::Arc;

use crate::Notes;
use crate::answer::write_notes;

/// Writes one piece of an answer: pure CPU work that needs none of the other pieces.
pub type Write = Box<dyn FnOnce() -> Vec<u8> + Send>;

/// An answer as pieces that can be written side by side and are sent in their order. Taking one is cheap;
/// writing it is the work.
pub struct Pieces(Box<dyn Iterator<Item = Write> + Send>);

impl Iterator for Pieces {
    type Item = Write;

    fn next(&mut self) -> Option<Write> {
        self.0.next()
    }
}

impl Pieces {
    /// All of it.
    #[must_use]
    pub fn concat(self) -> Vec<u8> {
        self.0.flat_map(|write| write()).collect()
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pieces")
    }
}

/// As [`list`], with one item that `write` knows.
pub(crate) fn one(
    open: &str,
    close: &str,
    notes: &Notes,
    write: impl Fn(&mut Vec<u8>) + Send + Sync + 'static,
) -> Pieces {
    list(vec![()], open, close, notes, usize::MAX, |()| 0, move |out, ()| write(out))
}

/// A success whose data is a list: `open`, the items with commas between them, `close`, the notes. `weigh`
/// says about how many bytes an item comes to; a piece ends when it has `size` of them.
pub(crate) fn list<T: Send + 'static>(
    items: Vec<T>,
    open: &str,
    close: &str,
    notes: &Notes,
    size: usize,
    weigh: impl Fn(&T) -> usize + Send + 'static,
    each: impl Fn(&mut Vec<u8>, &T) + Send + Sync + 'static,
) -> Pieces {
    let mut lead = br#"{"status":"success","data":"#.to_vec();
    lead.extend_from_slice(open.as_bytes());
    let mut tail = close.as_bytes().to_vec();
    write_notes(&mut tail, notes);
    let (mut items, each, mut tail) = (items.into_iter(), Arc::new(each), Some(tail));
    Pieces(Box::new(std::iter::from_fn(move || {
        tail.as_ref()?;
        let (mut batch, mut weight) = (Vec::new(), 0);
        while weight < size
            && let Some(item) = items.next()
        {
            weight += weigh(&item);
            batch.push(item);
        }
        let tail = if items.len() == 0 { tail.take() } else { None };
        let lead = std::mem::replace(&mut lead, b",".to_vec());
        let each = Arc::clone(&each);
        Some(Box::new(move || {
            let mut out = lead;
            out.reserve(weight);
            for (i, item) in batch.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                each(&mut out, item);
            }
            out.extend_from_slice(&tail.unwrap_or_default());
            out
        }) as Write)
    })))
}
