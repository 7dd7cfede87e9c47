//! Single samples, and counts of events between neighbours.

use model::is_stale;

use super::{Shape, Windows};

/// The newest sample within the lookback. A staleness marker there means: none.
pub(super) fn instant(shape: &Shape, t: &[i64], v: &[f64], out: &mut [f64]) {
    newest(shape, t, v, out, |i| v[i]);
}

/// Its time in seconds.
pub(super) fn timestamp(shape: &Shape, t: &[i64], v: &[f64], out: &mut [f64]) {
    newest(shape, t, v, out, |i| t[i] as f64 / 1000.0);
}

/// Its start timestamp in seconds; 0 where there is none.
pub(super) fn start_timestamp(shape: &Shape, t: &[i64], v: &[f64], st: &[i64], out: &mut [f64]) {
    newest(shape, t, v, out, |i| st.get(i).map_or(0.0, |&st| st as f64 / 1000.0));
}

fn newest(shape: &Shape, t: &[i64], v: &[f64], out: &mut [f64], value: impl Fn(usize) -> f64) {
    let mut next = t.partition_point(|&t| t <= shape.end(0));
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        while next < t.len() && t[next] <= end {
            next += 1;
        }
        if next > 0 && t[next - 1] > end.saturating_sub(shape.window_ms) && !is_stale(v[next - 1]) {
            *out = value(next - 1);
        }
    }
}

pub(super) fn changes(w: &Windows<'_>, marks: &mut Vec<u32>, out: &mut [f64]) {
    count_events(w, |before, now| now != before && !(now.is_nan() && before.is_nan()), marks, out);
}

pub(super) fn resets(w: &Windows<'_>, marks: &mut Vec<u32>, out: &mut [f64]) {
    count_events(w, |before, now| now < before, marks, out);
}

/// How often `event(before, now)` holds between neighbours of one window.
fn count_events(w: &Windows<'_>, event: impl Fn(f64, f64) -> bool, marks: &mut Vec<u32>, out: &mut [f64]) {
    // marks[i]: events among the samples 0..=i.
    marks.clear();
    marks.push(0);
    let mut total = 0;
    for pair in w.v.windows(2) {
        total += u32::from(event(pair[0], pair[1]));
        marks.push(total);
    }
    w.each(out, |_, lo, hi| f64::from(marks[hi - 1] - marks[lo]));
}
