//! The scalar bulk kernel.

use super::super::window::Window;
use super::{Slot, State, put};

/// So many bytes at the end of a payload are decoded from a copy with zeros behind it: the longest
/// sample (19 bytes, rounded up) and the sixteen bytes of [`Near`].
const TAIL: usize = 36;
/// Most samples of scraped data: a delta of delta of 14 bits behind `10`, and another value than the one
/// before behind `1`.
const USUAL: u64 = 0b10 << 62 | 1 << 47;
const USUAL_MASK: u64 = 0b11 << 62 | 1 << 47;
/// So many bits a word shows at least: up to seven of its bits lie before the position.
const SHOWN: u32 = 57;
/// The copy: what a sample and a load reach behind the tail.
const PADDED: usize = 64;

/// Decodes samples behind `state` (never the first two of a chunk) until `t` is full or it takes the
/// checked reader to go on. Gives how many, and the state behind the last of them.
pub(super) fn decode(bytes: &[u8], state: State, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> (usize, State) {
    let (mut done, mut state) = run(bytes, &state, t, v);
    let base = state.pos / 8;
    let rest = bytes.get(base..).unwrap_or_default();
    if done == t.len() || rest.len() > TAIL {
        return (done, state);
    }
    let mut padded = [0; PADDED];
    padded[..rest.len()].copy_from_slice(rest);
    let moved = State { pos: state.pos % 8, ..state };
    let (more, behind) = run(&padded, &moved, &mut t[done..], &mut v[done..]);
    // Whether it read zeros of the padding as samples: then the checked reader has the say.
    if behind.pos <= rest.len() * 8 {
        done += more;
        state = State { pos: behind.pos + base * 8, ..behind };
    }
    (done, state)
}

/// The kernel, compiled for what the CPU has: shifts by a register take one instruction of BMI2.
fn run(bytes: &[u8], state: &State, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> (usize, State) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe")
    {
        #[expect(unsafe_code, reason = "measured: a tenth of the time of the hot loop")]
        // SAFETY: the features were looked for.
        return unsafe { run_v3(bytes, state, t, v) };
    }
    run_on(bytes, state, t, v)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn run_v3(bytes: &[u8], state: &State, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> (usize, State) {
    run_on(bytes, state, t, v)
}

#[inline(always)]
fn run_on(bytes: &[u8], state: &State, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> (usize, State) {
    let n = t.len().min(v.len());
    let (t, v) = (&mut t[..n], &mut v[..n]);
    let State { mut pos, t: mut time, mut delta, mut bits, mut window } = *state;
    let mut k = 0;
    while k < n {
        let Some(near) = near(bytes, pos) else { break };
        let first = word(near, 0, pos);
        // What `step` does, spelled out for the usual sample: it stays in registers so.
        if first & USUAL_MASK == USUAL {
            let value = word(near, 2, pos);
            let mut next = window;
            let mut skip = 2;
            if value >> 62 == 0b11 {
                let Some(new) = Window::from_header((value >> 51) as u32 & 0x7ff) else { break };
                next = new;
                skip = 13;
            }
            let width = next.width();
            if skip + width <= SHOWN {
                delta = delta.wrapping_add(signed_at(first, 2, 14));
                time = time.wrapping_add(delta);
                bits ^= value << skip >> (64 - width) << next.trailing();
                window = next;
                pos += (16 + skip + width) as usize;
                put(&mut t[k], &mut v[k], time, bits);
                k += 1;
                continue;
            }
        } else if first >> 62 == 0 {
            // Same delta, same value: a run of such samples at once, as long as this word shows it.
            let zeros = first.leading_zeros().min(64 - (pos % 8) as u32);
            let run = (zeros as usize / 2).min(n - k);
            time = repeat(time, delta, bits, &mut t[k..k + run], &mut v[k..k + run]);
            pos += 2 * run;
            k += run;
            continue;
        }
        let Some(next) = step(bytes, near, first, State { pos, t: time, delta, bits, window }) else { break };
        State { pos, t: time, delta, bits, window } = next;
        put(&mut t[k], &mut v[k], time, bits);
        k += 1;
    }
    (k, State { pos, t: time, delta, bits, window })
}

/// Samples of one value, `delta` apart behind `time`; gives the last time. Not inlined, so that its loop
/// takes no registers from the other.
#[inline(never)]
fn repeat(time: i64, delta: i64, bits: u64, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> i64 {
    let mut time = time;
    for (t, v) in t.iter_mut().zip(v) {
        time = time.wrapping_add(delta);
        put(t, v, time, bits);
    }
    time
}

/// Decodes one sample behind `last`; `None` close to the end, or for damage.
#[cfg(target_arch = "x86_64")]
pub(super) fn step_at(bytes: &[u8], last: State) -> Option<State> {
    let near = near(bytes, last.pos)?;
    step(bytes, near, word(near, 0, last.pos), last)
}

/// Decodes the sample that begins `near`, its first word being `first`.
#[inline(always)]
fn step(bytes: &[u8], near: &Near, first: u64, last: State) -> Option<State> {
    let State { pos, delta, .. } = last;
    let timed = |delta: i64, used: usize| State { pos: pos + used, t: last.t.wrapping_add(delta), delta, ..last };
    if first >> 62 == 0b10 {
        // Two bytes: the value's word is loaded before it is known where it lies.
        let next = timed(delta.wrapping_add(signed_at(first, 2, 14)), 16);
        value::<SHOWN>(bytes, word(near, 2, pos), next)
    } else if first >> 63 == 0 {
        value::<{ SHOWN - 1 }>(bytes, first << 1, timed(delta, 1))
    } else {
        let (dod, used) = rare(bytes, first, pos)?;
        let next = timed(delta.wrapping_add(dod), used);
        value::<SHOWN>(bytes, word(self::near(bytes, next.pos)?, 0, next.pos), next)
    }
}

/// Reads the value of a sample whose time is read: `word` has `ROOM` bits of it at least.
#[inline(always)]
fn value<const ROOM: u32>(bytes: &[u8], word: u64, timed: State) -> Option<State> {
    let State { pos, bits, mut window, .. } = timed;
    if word >> 63 == 0 {
        return Some(State { pos: pos + 1, ..timed });
    }
    let mut skip = 2;
    if word >> 62 == 0b11 {
        window = Window::from_header((word >> 51) as u32 & 0x7ff)?;
        skip = 13;
    }
    let width = window.width();
    let field =
        if skip + width <= ROOM { word << skip >> (64 - width) } else { wide(bytes, pos + skip as usize, width)? };
    Some(State { pos: pos + (skip + width) as usize, bits: bits ^ field << window.trailing(), window, ..timed })
}

/// The delta of delta of 17, 20 or 64 bits and what it takes with its prefix.
#[cold]
fn rare(bytes: &[u8], word: u64, pos: usize) -> Option<(i64, usize)> {
    Some(match word.leading_ones() {
        2 => (signed_at(word, 3, 17), 20),
        3 => (signed_at(word, 4, 20), 24),
        _ => (wide(bytes, pos + 4, 64)? as i64, 68),
    })
}

/// The signed number of `n` bits behind the first `skip` of `word`; only 2^(n−1) and less is positive.
#[inline(always)]
fn signed_at(word: u64, skip: u32, n: u32) -> i64 {
    ((word << skip).wrapping_sub(1 << (64 - n)) as i64 >> (64 - n)) + 1
}

/// What most samples lie in, however they begin in the first byte: two loads of eight bytes.
type Near = [u8; 16];

/// The bytes from that of bit `pos` on; `None` close to the end.
#[inline(always)]
fn near(bytes: &[u8], pos: usize) -> Option<&Near> {
    bytes.get(pos / 8..pos / 8 + size_of::<Near>())?.first_chunk()
}

/// The [`SHOWN`] or more bits from bit `pos` on, `skip` bytes (0 to 8) further, at the high end.
#[inline(always)]
fn word(near: &Near, skip: usize, pos: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&near[skip..skip + 8]);
    u64::from_be_bytes(eight) << (pos % 8)
}

/// `n` bits, 1 to 64, from bit `pos` on.
#[inline]
fn wide(bytes: &[u8], pos: usize, n: u32) -> Option<u64> {
    let near = near(bytes, pos)?;
    Some((word(near, 0, pos) | u64::from(near[8]) >> (8 - pos % 8)) >> (64 - n))
}
