use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock in Unix milliseconds: the one place that reads it. Layers below a service take `now` from the
/// request's context.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock everybody else asks")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
