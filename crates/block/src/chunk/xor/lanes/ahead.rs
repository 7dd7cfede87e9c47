//! Asking for payloads that come next while others are decoded.

use crate::prefetch;

/// Bytes of a line of memory.
const LINE: usize = 64;

/// Payloads whose lines are asked for a few at a time: more at once than the CPU has places for make it wait.
pub(super) struct Ahead<'a> {
    payloads: std::slice::Iter<'a, &'a [u8]>,
    /// What is left of the present one.
    payload: &'a [u8],
    per_tile: usize,
}

impl<'a> Ahead<'a> {
    /// For so many tiles to come.
    pub(super) fn new(payloads: &'a [&'a [u8]], tiles: usize) -> Self {
        let lines: usize = payloads.iter().map(|payload| payload.len() / LINE + 1).sum();
        Self { payloads: payloads.iter(), payload: &[], per_tile: lines.div_ceil(tiles.max(1)) }
    }

    /// Asks for a tile's share.
    #[inline]
    pub(super) fn tile(&mut self) {
        for _ in 0..self.per_tile {
            if !self.line() {
                return;
            }
        }
    }

    /// Asks for what is left.
    pub(super) fn rest(mut self) {
        while self.line() {}
    }

    #[inline]
    fn line(&mut self) -> bool {
        while self.payload.is_empty() {
            let Some(next) = self.payloads.next() else { return false };
            self.payload = next;
        }
        prefetch(&self.payload[..1]);
        let to_next = LINE - self.payload.as_ptr().addr() % LINE;
        self.payload = self.payload.get(to_next..).unwrap_or_default();
        true
    }
}
