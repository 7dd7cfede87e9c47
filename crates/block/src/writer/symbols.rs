use std::sync::atomic::{AtomicUsize, Ordering};

use crate::WriteError;

/// The strings of all labels: sorted and unique, so that their places are their numbers.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    text: Vec<u8>,
    /// Where each ends in `text`.
    ends: Vec<u32>,
    /// What was found last: the next one that is looked for is often close behind it.
    near: AtomicUsize,
}

impl Symbols {
    pub(super) fn push(&mut self, symbol: &str) -> Result<(), WriteError> {
        if self.len().checked_sub(1).is_some_and(|last| self.get(last as u32) >= symbol.as_bytes()) {
            return Err(WriteError::Input(format!("symbol {symbol:?} does not ascend")));
        }
        self.text.extend_from_slice(symbol.as_bytes());
        // The section's length is 32 bits wide too.
        self.ends.push(u32::try_from(self.text.len()).map_err(|_| WriteError::TooLarge("the symbol table"))?);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a symbol that is there.
    #[inline]
    pub(super) fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start as usize..self.ends[number] as usize]
    }

    /// The number of a symbol.
    pub(super) fn find(&self, symbol: &str) -> Option<u32> {
        let symbol = symbol.as_bytes();
        let is_below = |i: usize| self.get(i as u32) < symbol;
        let near = self.near.load(Ordering::Relaxed);
        let (mut low, mut high) = (0, self.len());
        if near < high && is_below(near) {
            // In steps that double.
            let mut step = 1;
            low = near + 1;
            while low + step <= high && is_below(low + step - 1) {
                low += step;
                step *= 2;
            }
            high = high.min(low + step);
        } else {
            high = high.min(near.saturating_add(1));
        }
        while low < high {
            let middle = low.midpoint(high);
            if is_below(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.near.store(low, Ordering::Relaxed);
        (low < self.len() && self.get(low as u32) == symbol).then_some(low as u32)
    }
}

#[cfg(test)]
mod tests;
