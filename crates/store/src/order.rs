//! The order of series once labels are added to all of them alike.
//!
//! A source gives its series sorted by their own labels. Adding the same labels to each keeps that order but for
//! one case: where a label set is a prefix of another, and the other goes on with a name that comes before an
//! added one, the two change places. So such a series is held back until those have passed. Where labels of the
//! series themselves are removed or replaced, nothing is left of the order.

/// Series held back, each a prefix of the next; rows are whatever the source has of a series.
#[derive(Debug)]
pub struct HeldBack<R> {
    stack: Vec<R>,
}

impl<R> Default for HeldBack<R> {
    fn default() -> Self {
        Self { stack: Vec::new() }
    }
}

impl<R> HeldBack<R> {
    /// How many are held back: no more than one for each label.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stack.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// A series that comes before the next one in the final order, if one is held; call until there is none.
    /// `waits` says of a held one whether it still waits: whether the next one has all of its labels and goes on
    /// with a name that comes before an added one.
    ///
    /// # Errors
    /// What `waits` gives.
    pub fn pop_before<E>(&mut self, waits: impl FnOnce(&R) -> Result<bool, E>) -> Result<Option<R>, E> {
        match self.stack.last() {
            Some(top) if !waits(top)? => Ok(self.stack.pop()),
            _ => Ok(None),
        }
    }

    /// Holds `row` back where `may_wait`, which is so if its last name comes before an added one; else gives it
    /// back, as nothing can come to stand before it.
    pub fn hold(&mut self, row: R, may_wait: bool) -> Option<R> {
        if may_wait {
            self.stack.push(row);
            return None;
        }
        Some(row)
    }

    /// The next one once the last series has come.
    pub fn pop(&mut self) -> Option<R> {
        self.stack.pop()
    }
}

/// Whether a series with the labels `held` has to wait for one with the labels `next`, both their own, in the
/// order of names, where `added` are the names that are added to both.
pub fn waits<'a>(
    held: impl IntoIterator<Item = (&'a str, &'a str)>,
    next: impl IntoIterator<Item = (&'a str, &'a str)>,
    added: &[impl AsRef<str>],
) -> bool {
    let mut next = next.into_iter();
    held.into_iter().all(|pair| next.next() == Some(pair)) && next.next().is_some_and(|(name, _)| precedes(name, added))
}

/// Whether a label of this name comes before one that is added.
#[must_use]
pub fn precedes(name: &str, added: &[impl AsRef<str>]) -> bool {
    added.iter().any(|a| name < a.as_ref())
}

#[cfg(test)]
mod tests;
