//! Linear regression and smoothing.

use super::{Params, Windows};
use crate::math::kahan_add;

pub(super) fn deriv(w: &Windows<'_>, out: &mut [f64]) {
    with_two(w, out, |_, lo, hi| regression(&w.t[lo..hi], &w.v[lo..hi], w.t[lo]).0);
}

/// The regression line, read `params.first` seconds after the step's own time.
pub(super) fn predict_linear(w: &Windows<'_>, params: Params<'_>, out: &mut [f64]) {
    with_two(w, out, |step, lo, hi| {
        let (slope, intercept) = regression(&w.t[lo..hi], &w.v[lo..hi], w.shape.grid.at(step));
        slope * params.first(step) + intercept
    });
}

fn with_two(w: &Windows<'_>, out: &mut [f64], mut value: impl FnMut(usize, usize, usize) -> f64) {
    for (step, ((out, &lo), &hi)) in out.iter_mut().zip(w.lo).zip(w.hi).enumerate() {
        if hi >= lo + 2 {
            *out = value(step, lo as usize, hi as usize);
        }
    }
}

/// Least squares: slope per second and the value at `origin`.
pub(super) fn regression(t: &[i64], v: &[f64], origin: i64) -> (f64, f64) {
    if v[1..].iter().all(|&y| y == v[0]) {
        return if v[0].is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, v[0]) };
    }
    let mut n = 0.0;
    let [mut x_sum, mut y_sum, mut xy_sum, mut xx_sum] = [(0.0, 0.0); 4];
    for (&t, &y) in t.iter().zip(v) {
        n += 1.0;
        let x = (t - origin) as f64 / 1e3;
        x_sum = kahan_add(x, x_sum.0, x_sum.1);
        y_sum = kahan_add(y, y_sum.0, y_sum.1);
        xy_sum = kahan_add(x * y, xy_sum.0, xy_sum.1);
        xx_sum = kahan_add(x * x, xx_sum.0, xx_sum.1);
    }
    let [x_sum, y_sum, xy_sum, xx_sum] = [x_sum, y_sum, xy_sum, xx_sum].map(|(sum, lost)| sum + lost);
    let covariance = xy_sum - x_sum * y_sum / n;
    let variance = xx_sum - x_sum * x_sum / n;
    let slope = covariance / variance;
    (slope, y_sum / n - slope * x_sum / n)
}

/// Holt's smoothing; the caller has checked that both factors lie between 0 and 1.
pub(super) fn double_exponential(w: &Windows<'_>, params: Params<'_>, out: &mut [f64]) {
    with_two(w, out, |step, lo, hi| {
        let (smoothing, trend_factor) = (params.first(step), params.second(step));
        let v = &w.v[lo..hi];
        let (mut before, mut smoothed, mut trend) = (0.0, v[0], v[1] - v[0]);
        for (i, &value) in v.iter().enumerate().skip(1) {
            let x = smoothing * value;
            if i > 1 {
                let kept = (1.0 - trend_factor) * trend;
                trend = trend_factor * (smoothed - before) + kept;
            }
            let y = (1.0 - smoothing) * (smoothed + trend);
            (before, smoothed) = (smoothed, x + y);
        }
        smoothed
    });
}
