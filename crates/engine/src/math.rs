//! Arithmetic in the order Prometheus does it, so that results agree bit for bit.

/// One step of Kahan's summation in Neumaier's form: the new sum and compensation. Once the sum is
/// infinite the compensation is dropped, so that infinities stay what they are.
#[inline(always)]
pub(crate) fn kahan_add(increment: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + increment;
    let lost = if sum.abs() >= increment.abs() { (sum - total) + increment } else { (increment - total) + sum };
    (total, if total.is_infinite() { 0.0 } else { compensation + lost })
}

/// A positive number to divide by again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor {
    by: f64,
    inverse: f64,
}

impl Divisor {
    pub(crate) fn new(by: f64) -> Self {
        Self { by, inverse: 1.0 / by }
    }

    /// `x / by`, bit for bit, for an `x` that is neither huge nor tiny. Where the CPU has fused
    /// multiply-add (`FUSED`) it takes three of these, which is several times faster than a division:
    /// Markstein's correction of `x · (1 / by)` by its exact remainder rounds correctly.
    #[inline(always)]
    pub(crate) fn divide<const FUSED: bool>(&self, x: f64) -> f64 {
        if !FUSED {
            return x / self.by;
        }
        let near = x * self.inverse;
        let rest = (-near).mul_add(self.by, x);
        rest.mul_add(self.inverse, near)
    }
}

/// Go's `math.Max`: +∞ wins over NaN, NaN over the rest, +0 over −0.
#[inline]
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// Go's `math.Min`: −∞ wins over NaN, NaN over the rest, −0 over +0.
#[inline]
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else if a < b {
        a
    } else {
        b
    }
}

/// Whether two values differ by less than `tolerance` times their sum.
pub(crate) fn almost_equal(a: f64, b: f64, tolerance: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < tolerance
}

/// The `q`-quantile of `values`, which are sorted on the way (NaN first): interpolated linearly
/// between neighbours; ±∞ for `q` outside [0, 1]; NaN for no values or a NaN `q`.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| {
        b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    let n = values.len() as f64;
    let rank = q * (n - 1.0);
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(n - 1.0);
    let weight = rank - rank.floor();
    values[lower as usize] * (1.0 - weight) + values[upper as usize] * weight
}

/// A range in seconds as Go's `Duration.Seconds` computes it.
pub(crate) fn seconds(ms: i64) -> f64 {
    (ms / 1000) as f64 + ((ms % 1000) * 1_000_000) as f64 / 1e9
}

#[cfg(test)]
mod tests;
