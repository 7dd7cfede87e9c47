//! The variable bit-length integers of histogram chunks and start timestamps: a unary prefix that
//! names one of eight widths, then the value in that width.

use super::bits::{BitReader, BitWriter};
use crate::Corrupt;

/// Width by the number of ones in the prefix; eight ones are not followed by a zero.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// Whether `x` fits in `n` bits as chunks have them: −2^(n−1)+1 to 2^(n−1).
#[inline]
pub(crate) fn fits(x: i64, n: u32) -> bool {
    -((1 << (n - 1)) - 1) <= x && x <= 1 << (n - 1)
}

/// The signed number in the low `n` bits (1 to 63), where only 2^(n−1) and less count as positive.
#[inline]
pub(crate) fn signed(bits: u64, n: u32) -> i64 {
    let up = 64 - n;
    ((bits << up).wrapping_sub(1 << up) as i64 >> up) + 1
}

pub(crate) fn read_int(r: &mut BitReader<'_>) -> Result<i64, Corrupt> {
    let n = WIDTHS[r.ones(8)? as usize];
    Ok(match n {
        0 => 0,
        64 => r.bits(64)? as i64,
        n => signed(r.bits(n)?, n),
    })
}

pub(crate) fn read_uint(r: &mut BitReader<'_>) -> Result<u64, Corrupt> {
    match WIDTHS[r.ones(8)? as usize] {
        0 => Ok(0),
        n => r.bits(n),
    }
}

pub(crate) fn write_int(w: &mut BitWriter, value: i64) {
    let class = if value == 0 { 0 } else { (1..8).find(|&i| fits(value, WIDTHS[i])).unwrap_or(8) };
    write_class(w, class, value as u64);
}

pub(crate) fn write_uint(w: &mut BitWriter, value: u64) {
    let bits = 64 - value.leading_zeros();
    let class = WIDTHS.iter().position(|&n| bits <= n).unwrap_or(8);
    write_class(w, class, value);
}

fn write_class(w: &mut BitWriter, class: usize, value: u64) {
    if class == 8 {
        w.bits(0xff, 8);
    } else {
        // As many ones as the class, then a zero.
        w.bits((1 << (class + 1)) - 2, class as u32 + 1);
    }
    if class > 0 {
        w.bits(value, WIDTHS[class]);
    }
}
