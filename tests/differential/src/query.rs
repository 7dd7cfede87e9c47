//! A query and when it is asked.

use engine::Grid;

/// Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(i64),
    Over { start_ms: i64, end_ms: i64, step_ms: i64 },
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub text: String,
    pub when: When,
}

impl Query {
    /// The steps it is evaluated at.
    #[must_use]
    pub fn grid(&self) -> Grid {
        match self.when {
            When::At(t) => Grid { start_ms: t, end_ms: t, step_ms: 1 },
            When::Over { start_ms, end_ms, step_ms } => Grid { start_ms, end_ms, step_ms },
        }
    }

    /// As the HTTP API takes it: path and parameters.
    #[must_use]
    pub fn request(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let query = ("query", self.text.clone());
        match self.when {
            When::At(t) => ("/api/v1/query", vec![query, ("time", seconds(t))]),
            When::Over { start_ms, end_ms, step_ms } => {
                let times = [("start", seconds(start_ms)), ("end", seconds(end_ms)), ("step", seconds(step_ms))];
                ("/api/v1/query_range", [query].into_iter().chain(times).collect())
            }
        }
    }
}

/// Seconds with three decimals.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}
