//! The portable bulk kernel.

use super::super::window::Window;
use super::State;

/// So many bytes at the end of a payload are decoded from a copy with zeros behind it: the longest
/// sample (19 bytes, rounded up) and the eight bytes of a load.
const TAIL: usize = 28;
/// The copy: what a sample and a load reach behind the tail.
const PADDED: usize = 64;

/// Decodes samples behind `state` (never the first two of a chunk) until `t` is full or it takes the
/// checked reader to go on. Gives how many, and the state behind the last of them.
pub(super) fn decode(bytes: &[u8], state: State, t: &mut [i64], v: &mut [f64]) -> (usize, State) {
    let (mut done, mut state) = run(bytes, state, t, v);
    let base = state.pos / 8;
    let rest = bytes.get(base..).unwrap_or_default();
    if done == t.len() || rest.len() > TAIL {
        return (done, state);
    }
    let mut padded = [0; PADDED];
    padded[..rest.len()].copy_from_slice(rest);
    let moved = State { pos: state.pos % 8, ..state };
    let (more, behind) = run(&padded, moved, &mut t[done..], &mut v[done..]);
    // Whether it read zeros of the padding as samples: then the checked reader has the say.
    if behind.pos <= rest.len() * 8 {
        done += more;
        state = State { pos: behind.pos + base * 8, ..behind };
    }
    (done, state)
}

/// The kernel, compiled for what the CPU has: shifts by a register take one instruction of BMI2.
fn run(bytes: &[u8], state: State, t: &mut [i64], v: &mut [f64]) -> (usize, State) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("lzcnt") {
        #[expect(unsafe_code, reason = "measured: a tenth of the time of the hot loop")]
        // SAFETY: the features were looked for.
        return unsafe { run_v3(bytes, state, t, v) };
    }
    run_on(bytes, state, t, v)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn run_v3(bytes: &[u8], state: State, t: &mut [i64], v: &mut [f64]) -> (usize, State) {
    run_on(bytes, state, t, v)
}

#[inline(always)]
fn run_on(bytes: &[u8], state: State, t: &mut [i64], v: &mut [f64]) -> (usize, State) {
    let n = t.len().min(v.len());
    let (t, v) = (&mut t[..n], &mut v[..n]);
    let mut state = state;
    let mut k = 0;
    while k < n {
        let Some(first) = word(bytes, state.pos) else { break };
        if first >> 62 == 0 {
            // Same delta, same value: a run of such samples at once, as long as this word shows it.
            let zeros = first.leading_zeros().min(64 - (state.pos % 8) as u32);
            let run = (zeros as usize / 2).min(n - k);
            for (t, v) in t[k..k + run].iter_mut().zip(&mut v[k..k + run]) {
                state.t = state.t.wrapping_add(state.delta);
                (*t, *v) = (state.t, f64::from_bits(state.bits));
            }
            state.pos += 2 * run;
            k += run;
            continue;
        }
        let Some(next) = step(bytes, first, state) else { break };
        state = next;
        (t[k], v[k]) = (state.t, f64::from_bits(state.bits));
        k += 1;
    }
    (k, state)
}

/// Decodes one sample behind `last`; `None` close to the end, or for damage.
#[cfg(target_arch = "x86_64")]
pub(super) fn step_at(bytes: &[u8], last: State) -> Option<State> {
    step(bytes, word(bytes, last.pos)?, last)
}

#[inline(always)]
fn step(bytes: &[u8], first: u64, last: State) -> Option<State> {
    let State { mut pos, mut delta, mut window, .. } = last;
    if first >> 62 == 0b10 {
        delta = delta.wrapping_add(signed_at(first, 2, 14));
        pos += 16;
    } else if first >> 63 == 0 {
        pos += 1;
    } else {
        let (dod, used) = rare(bytes, first, pos)?;
        delta = delta.wrapping_add(dod);
        pos += used;
    }
    let next = State { pos, t: last.t.wrapping_add(delta), delta, bits: last.bits, window };

    let value = word(bytes, pos)?;
    if value >> 63 == 0 {
        return Some(State { pos: pos + 1, ..next });
    }
    let mut skip = 2;
    if value >> 62 == 0b11 {
        window = Window::from_header((value >> 51) as u32 & 0x7ff)?;
        skip = 13;
    }
    let width = window.width();
    // At most seven of a word's bits lie before the position.
    let field =
        if skip + width <= 57 { value << skip >> (64 - width) } else { wide(bytes, pos + skip as usize, width)? };
    Some(State { pos: pos + (skip + width) as usize, bits: last.bits ^ field << window.trailing(), window, ..next })
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

/// The 57 or more bits from bit `pos` on, at the high end; `None` close to the end.
#[inline(always)]
fn word(bytes: &[u8], pos: usize) -> Option<u64> {
    let eight = bytes.get(pos / 8..pos / 8 + 8)?.first_chunk()?;
    Some(u64::from_be_bytes(*eight) << (pos % 8))
}

/// `n` bits, 1 to 64, from bit `pos` on.
#[inline]
fn wide(bytes: &[u8], pos: usize, n: u32) -> Option<u64> {
    let ninth = *bytes.get(pos / 8 + 8)?;
    let skip = (pos % 8) as u32;
    Some((word(bytes, pos)? | u64::from(ninth) >> (8 - skip)) >> (64 - n))
}
