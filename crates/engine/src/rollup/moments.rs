//! Sums, means and variances of windows, compensated and in sample order.

use super::Windows;
use crate::math::kahan_add;

pub(super) fn sum(w: &Windows<'_>, out: &mut [f64]) {
    w.each(out, |_, lo, hi| {
        let (sum, lost) = w.v[lo..hi].iter().fold((0.0, 0.0), |(s, c), &v| kahan_add(v, s, c));
        if sum.is_infinite() { sum } else { sum + lost }
    });
}

pub(super) fn avg(w: &Windows<'_>, out: &mut [f64]) {
    w.each(out, |_, lo, hi| mean(&w.v[lo..hi]));
}

/// Sum over count; where the sum would overflow, the mean is carried on incrementally instead.
fn mean(values: &[f64]) -> f64 {
    let (mut sum, mut lost) = (values[0], 0.0);
    for (i, &v) in values.iter().enumerate().skip(1) {
        let (new_sum, new_lost) = kahan_add(v, sum, lost);
        if new_sum.is_infinite() {
            return incremental_mean(values, i, sum / i as f64, lost / i as f64);
        }
        (sum, lost) = (new_sum, new_lost);
    }
    let count = values.len() as f64;
    sum / count + lost / count
}

fn incremental_mean(values: &[f64], from: usize, mut mean: f64, mut lost: f64) -> f64 {
    for (i, &v) in values.iter().enumerate().skip(from) {
        let count = (i + 1) as f64;
        let q = (count - 1.0) / count;
        (mean, lost) = kahan_add(v / count, q * mean, q * lost);
    }
    mean + lost
}

/// Welford's variance with compensated sums; `finish` makes the deviation of it.
pub(super) fn variance(w: &Windows<'_>, finish: fn(f64) -> f64, out: &mut [f64]) {
    w.each(out, |_, lo, hi| {
        let (mut count, mut mean, mut mean_lost) = (0.0, 0.0, 0.0);
        let (mut squares, mut squares_lost) = (0.0, 0.0);
        for &v in &w.v[lo..hi] {
            count += 1.0;
            let delta = v - (mean + mean_lost);
            (mean, mean_lost) = kahan_add(delta / count, mean, mean_lost);
            (squares, squares_lost) = kahan_add(delta * (v - (mean + mean_lost)), squares, squares_lost);
        }
        finish((squares + squares_lost) / count)
    });
}
