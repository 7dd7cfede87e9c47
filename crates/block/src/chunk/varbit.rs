//! The variable bit-length integers of histogram chunks and start timestamps: a unary prefix that
//! names one of eight widths, then the value in that width.

use super::bits::{BitReader, BitWriter};
use crate::Corrupt;

/// Width by the number of ones in the prefix; eight ones are not followed by a zero.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// The first class whose numbers one load does not always show.
const NARROW: usize = 7;
/// Bits of prefix and number by class; for the wide ones more than there ever are.
const USED: [u32; NARROW + 1] = [1, 5, 9, 13, 17, 24, 32, 99];
/// So many zeros in a row are taken at once.
const ZEROS_MIN: u32 = 8;

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

#[inline]
pub(crate) fn read_int(r: &mut BitReader<'_>) -> Result<i64, Corrupt> {
    let (word, there) = r.ahead();
    let class = word.leading_ones();
    if class == 0 && there > 0 {
        r.skip(1);
        return Ok(0);
    }
    // Prefix and number at once, where one load shows them.
    if let Some(&n) = WIDTHS.get(class as usize)
        && n < 56
        && class + 1 + n <= there
    {
        r.skip((class + 1 + n) as usize);
        return Ok(signed(word << (class + 1) >> (64 - n), n));
    }
    read_wide_int(r)
}

#[cold]
fn read_wide_int(r: &mut BitReader<'_>) -> Result<i64, Corrupt> {
    let n = WIDTHS[r.ones(8)? as usize];
    Ok(match n {
        0 => 0,
        64 => r.bits(64)? as i64,
        n => signed(r.bits(n)?, n),
    })
}

/// Reads so many numbers one after the other and gives each to `each`. Which width the next one has is
/// anyone's guess, so that it is looked up instead of branched on; only many zeros in a row are.
#[inline]
pub(crate) fn read_ints(r: &mut BitReader<'_>, count: usize, mut each: impl FnMut(i64)) -> Result<(), Corrupt> {
    let mut left = count;
    while left > 0 {
        let (mut word, shown) = r.ahead();
        let (before, mut there) = (left, shown);
        while left > 0 {
            if word >> (64 - ZEROS_MIN) == 0 && there >= ZEROS_MIN {
                let zeros = word.leading_zeros().min(there).min(63).min(u32::try_from(left).unwrap_or(63));
                (0..zeros).for_each(|_| each(0));
                (word, there, left) = (word << zeros, there - zeros, left - zeros as usize);
                continue;
            }
            let class = word.leading_ones().min(NARROW as u32) as usize;
            let used = USED[class];
            if used > there {
                break;
            }
            let number = word << (class + 1) >> 1 >> (63 - WIDTHS[class]);
            // As `signed`, and zero for no bits.
            let half = 1 << WIDTHS[class] >> 1;
            each(number as i64 - if number > half { 2 * half as i64 } else { 0 });
            (word, there, left) = (word << used, there - used, left - 1);
        }
        r.skip((shown - there) as usize);
        if left == before {
            each(read_wide_int(r)?);
            left -= 1;
        }
    }
    Ok(())
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
