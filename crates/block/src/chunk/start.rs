//! Start timestamps ("created" of a counter) in XOR2 and the `…St` histogram chunks.
//!
//! One header byte: bit 7 says that the first sample has one, the other seven at which sample it
//! first changes (0: never). From there on each sample carries the change of the distance between
//! its predecessor's time and its start.

use super::bits::{BitReader, BitWriter};
use super::varbit;
use crate::Corrupt;

/// The last sample at which the header can say that start timestamps begin: there they do begin, be
/// there a change or not.
const CHANGE_ON_MAX: usize = 0x7f;
const FIRST_KNOWN: u8 = 0x80;

#[derive(Clone, Copy, Debug)]
pub(super) struct StartReader {
    header: u8,
    distance: i64,
    /// Of the last sample read; 0 for none.
    pub(super) st: i64,
}

impl StartReader {
    pub(super) fn new(header: u8) -> Self {
        Self { header, distance: 0, st: 0 }
    }

    /// Reads what sample `k` at `t` has; `last_t` is its predecessor's time.
    #[inline]
    pub(super) fn read(&mut self, r: &mut BitReader<'_>, k: usize, t: i64, last_t: i64) -> Result<(), Corrupt> {
        if self.header == 0 {
            return Ok(());
        }
        if k == 0 {
            if self.header & FIRST_KNOWN != 0 {
                self.distance = r.varint()?;
                self.st = t.wrapping_sub(self.distance);
            }
            return Ok(());
        }
        let on = usize::from(self.header & !FIRST_KNOWN);
        if on == 0 || k < on {
            return Ok(());
        }
        let change = varbit::read_int(r)?;
        self.distance = if k == on { change } else { self.distance.wrapping_add(change) };
        self.st = last_t.wrapping_sub(self.distance);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StartWriter {
    header: u8,
    distance: i64,
    st: i64,
}

impl StartWriter {
    /// The chunk's header byte.
    pub(super) fn header(&self) -> u8 {
        self.header
    }

    /// Writes what sample `k` at `t` needs; `last_t` is its predecessor's time, `st` 0 for none.
    #[inline]
    pub(super) fn write(&mut self, w: &mut BitWriter, k: usize, t: i64, last_t: i64, st: i64) {
        let changing = self.header & !FIRST_KNOWN != 0;
        if k == 0 {
            if st != 0 {
                w.varint(t.wrapping_sub(st));
                self.header = FIRST_KNOWN;
            }
        } else if changing {
            let distance = last_t.wrapping_sub(st);
            varbit::write_int(w, distance.wrapping_sub(self.distance));
            self.distance = distance;
        } else if k <= CHANGE_ON_MAX && (st != self.st || k == CHANGE_ON_MAX) {
            self.distance = last_t.wrapping_sub(st);
            self.header |= k as u8;
            varbit::write_int(w, self.distance);
        }
        self.st = st;
    }
}
