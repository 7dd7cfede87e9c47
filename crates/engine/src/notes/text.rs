//! Numbers as Go's `fmt` and `strconv` print them.

/// `%g`: the shortest digits that read back, with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn format_g(v: f64) -> String {
    if !v.is_finite() {
        return special(v);
    }
    let scientific = format!("{v:e}");
    let (mantissa, exponent) = split(&scientific);
    if (-4..6).contains(&exponent) || v == 0.0 { format!("{v}") } else { with_exponent(mantissa, exponent) }
}

/// `%.2g`.
pub(crate) fn format_g2(v: f64) -> String {
    if !v.is_finite() {
        return special(v);
    }
    let scientific = format!("{v:.1e}");
    let (mantissa, exponent) = split(&scientific);
    let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
    if !(-4..2).contains(&exponent) {
        return with_exponent(mantissa, exponent);
    }
    let digits = mantissa.chars().filter(char::is_ascii_digit).count() as i32;
    let decimals = usize::try_from(digits - 1 - exponent).unwrap_or(0);
    format!("{v:.decimals$}")
}

/// `strconv.FormatFloat(v, 'f', -1, 64)`.
pub(crate) fn format_plain(v: f64) -> String {
    if v.is_finite() { format!("{v}") } else { special(v) }
}

/// As the value of a `quantile` or `le` label: `1.0`, `0.5`, `1e+06`.
pub(crate) fn format_open_metrics(v: f64) -> String {
    let mut text = format_g(v);
    if v.is_finite() && !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}

fn split(scientific: &str) -> (&str, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (mantissa, exponent.parse().unwrap_or(0))
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn special(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v > 0.0 {
        "+Inf".to_owned()
    } else {
        "-Inf".to_owned()
    }
}
