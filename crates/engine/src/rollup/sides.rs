//! The samples on both sides of windows' edges, fetched while the edges are found.

#[cfg(target_arch = "x86_64")]
mod wide;

use super::Shape;
use super::windows::count_to;

/// For each step: where its window `(start, end]` begins and ends among the samples, the first sample
/// behind its start and the last up to its end. Where the window is empty these two mean nothing.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    steps: usize,
    /// The ends' entries begin here; the starts' at 0. They share entries where the range is a multiple
    /// of the step: then the window of step j starts where that of step j - shift ended.
    shift: usize,
    /// How many samples are at or before the edge.
    place: Vec<u32>,
    behind: Samples,
    upto: Samples,
}

#[derive(Debug, Default)]
struct Samples {
    t: Vec<i64>,
    v: Vec<f64>,
}

impl Samples {
    fn resize(&mut self, len: usize) {
        self.t.resize(len, 0);
        self.v.resize(len, 0.0);
    }
}

impl Sides {
    pub(super) fn lo(&self) -> &[u32] {
        &self.place[..self.steps]
    }

    pub(super) fn hi(&self) -> &[u32] {
        &self.place[self.shift..][..self.steps]
    }

    pub(super) fn firsts_t(&self) -> &[i64] {
        &self.behind.t[..self.steps]
    }

    pub(super) fn firsts_v(&self) -> &[f64] {
        &self.behind.v[..self.steps]
    }

    pub(super) fn lasts_t(&self) -> &[i64] {
        &self.upto.t[self.shift..][..self.steps]
    }

    pub(super) fn lasts_v(&self) -> &[f64] {
        &self.upto.v[self.shift..][..self.steps]
    }

    /// Finds them; there is at least one sample.
    pub(super) fn find(&mut self, shape: &Shape, t: &[i64], v: &[f64]) {
        let steps = shape.grid.len();
        let step = if shape.at_ms.is_some() { 0 } else { shape.grid.step_ms };
        let end = shape.end(0);
        let start = end.saturating_sub(shape.window_ms);
        let ratio = if step > 0 && shape.window_ms % step == 0 { shape.window_ms / step } else { 0 };
        let shared = ratio > 0 && (ratio as u64) < steps as u64;
        self.steps = steps;
        self.shift = if shared { ratio as usize } else { steps };
        let all = self.shift + steps;
        self.place.resize(all, 0);
        self.behind.resize(all);
        self.upto.resize(all);
        let Self { place, behind, upto, shift, .. } = self;
        if shared {
            walk::<true, true>(t, v, (start, step), place, behind, upto, 0);
        } else {
            let (lo, hi) = place.split_at_mut(*shift);
            walk::<true, false>(t, v, (start, step), lo, behind, upto, 0);
            walk::<false, true>(t, v, (end, step), hi, behind, upto, *shift);
        }
    }
}

/// Steps that are tried in one go: where scrapes are regular, the place of each is known before any is looked at,
/// and is only to be confirmed.
const ABREAST: usize = 8;

/// Goes over the instants `first, first + step, …`, one for each of `place`, and writes what lies at each;
/// samples from entry `at` on.
fn walk<const BEHIND: bool, const UPTO: bool>(
    t: &[i64],
    v: &[f64],
    instants: (i64, i64),
    place: &mut [u32],
    behind: &mut Samples,
    upto: &mut Samples,
    at: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if wide::available() {
        #[expect(unsafe_code, reason = "calling a function with target features from one without")]
        // SAFETY: the CPU has the features, as was just looked up.
        return unsafe { wide::walk::<BEHIND, UPTO>(t, v, instants, place, behind, upto, at) };
    }
    walk_by::<BEHIND, UPTO>(t, v, instants, place, behind, upto, at, abreast::<BEHIND, UPTO>);
}

/// Where steps that are tried in one go begin: the place and the instant of the first, and how far it is from one to
/// the next.
#[derive(Clone, Copy, Debug)]
struct Try {
    now: usize,
    stride: usize,
    instant: i64,
    step: i64,
}

/// What lies at the steps that are tried, to be written.
struct Found<'a> {
    place: &'a mut [u32; ABREAST],
    behind_t: &'a mut [i64; ABREAST],
    behind_v: &'a mut [f64; ABREAST],
    upto_t: &'a mut [i64; ABREAST],
    upto_v: &'a mut [f64; ABREAST],
}

/// `together` finds the steps in one go that are as far from each other as the last two were; `false` where they
/// are not.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the columns are borrowed one by one")]
fn walk_by<const BEHIND: bool, const UPTO: bool>(
    t: &[i64],
    v: &[f64],
    (first, step): (i64, i64),
    place: &mut [u32],
    behind: &mut Samples,
    upto: &mut Samples,
    at: usize,
    together: impl Fn(&[i64], &[f64], Try, Found<'_>) -> bool,
) {
    let n = place.len();
    let len = t.len().min(v.len());
    let (t, v) = (&t[..len], &v[..len]);
    let (behind_t, behind_v) = (&mut behind.t[at..][..n], &mut behind.v[at..][..n]);
    let (upto_t, upto_v) = (&mut upto.t[at..][..n], &mut upto.v[at..][..n]);
    let mut now = count_to(t, first) as usize;
    let mut instant = first;
    // What the last step moved by is the guess for the next one: scrapes are regular.
    let mut stride = 0;
    let mut i = 0;
    while i < n {
        if i % ABREAST == 0
            && let Some(end) = instant.checked_add(step.wrapping_mul(ABREAST as i64)).filter(|end| *end >= instant)
            && let (Some(place), Some(behind_t), Some(behind_v), Some(upto_t), Some(upto_v)) =
                (part(place, i), part(behind_t, i), part(behind_v, i), part(upto_t, i), part(upto_v, i))
            // All with a sample before and one behind.
            && now + stride > 0
            && now + stride * ABREAST < len
            && together(t, v, Try { now, stride, instant, step }, Found { place, behind_t, behind_v, upto_t, upto_v })
        {
            (now, instant, i) = (now + stride * ABREAST, end, i + ABREAST);
            continue;
        }
        let mut guess = (now + stride).min(len);
        while guess < len && t[guess] <= instant {
            guess += 1;
        }
        while guess > now && t[guess - 1] > instant {
            guess -= 1;
        }
        stride = guess - now;
        now = guess;
        place[i] = now as u32;
        if BEHIND {
            let next = now.min(len - 1);
            (behind_t[i], behind_v[i]) = (t[next], v[next]);
        }
        if UPTO {
            let last = now.saturating_sub(1);
            (upto_t[i], upto_v[i]) = (t[last], v[last]);
        }
        instant = instant.saturating_add(step);
        i += 1;
    }
}

#[inline(always)]
fn abreast<const BEHIND: bool, const UPTO: bool>(t: &[i64], v: &[f64], from: Try, found: Found<'_>) -> bool {
    let Try { now, stride, mut instant, step } = from;
    let mut right = true;
    let mut next = now;
    for k in 0..ABREAST {
        next += stride;
        let ([t_upto, t_behind], [v_upto, v_behind]) = (pair(t, next), pair(v, next));
        right &= (t_behind > instant) & (t_upto <= instant);
        found.place[k] = next as u32;
        if BEHIND {
            (found.behind_t[k], found.behind_v[k]) = (t_behind, v_behind);
        }
        if UPTO {
            (found.upto_t[k], found.upto_v[k]) = (t_upto, v_upto);
        }
        instant = instant.wrapping_add(step);
    }
    right
}

/// The entries before `next` and there.
#[inline(always)]
fn pair<T: Copy>(column: &[T], next: usize) -> [T; 2] {
    let both = &column[next - 1..=next];
    [both[0], both[1]]
}

fn part<T>(row: &mut [T], from: usize) -> Option<&mut [T; ABREAST]> {
    row.get_mut(from..)?.first_chunk_mut()
}

#[cfg(test)]
mod tests;
