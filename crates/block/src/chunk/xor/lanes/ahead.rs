//! Asking for payloads that come next while others are decoded.

use crate::prefetch::{LINE, prefetch_line};

/// Payloads whose lines are asked for a few at a time: more at once than the CPU has places for make it wait.
pub(super) struct Ahead<'a> {
    payloads: std::slice::Iter<'a, &'a [u8]>,
    /// The next line of the present one, and how many are left of it.
    at: *const u8,
    lines: usize,
    per_tile: usize,
}

impl<'a> Ahead<'a> {
    /// For so many tiles to come.
    pub(super) fn new(payloads: &'a [&'a [u8]], tiles: usize) -> Self {
        let lines: usize = payloads.iter().map(|payload| lines(payload)).sum();
        let per_tile = lines.div_ceil(tiles.max(1));
        Self { payloads: payloads.iter(), at: std::ptr::null(), lines: 0, per_tile }
    }

    /// Asks for a tile's share.
    #[inline]
    pub(super) fn tile(&mut self) {
        self.ask(self.per_tile);
    }

    /// Asks for what is left.
    pub(super) fn rest(mut self) {
        self.ask(usize::MAX);
    }

    #[inline]
    fn ask(&mut self, mut count: usize) {
        loop {
            let own = self.lines.min(count);
            for _ in 0..own {
                prefetch_line(self.at);
                self.at = self.at.wrapping_add(LINE);
            }
            self.lines -= own;
            count -= own;
            if count == 0 {
                return;
            }
            let Some(next) = self.payloads.next() else { return };
            (self.at, self.lines) = (next.as_ptr(), lines(next));
        }
    }
}

/// How many lines a payload touches.
#[inline]
fn lines(payload: &[u8]) -> usize {
    (payload.as_ptr().addr() % LINE + payload.len()).div_ceil(LINE)
}
