//! Running a script: every `eval` as written, then with `@` at every selector, then as a range query.

mod at;
mod messages;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::testing::Memory;
use engine::{Engine, Error, Grid, Query, Settings};
use futures::executor::block_on;
use model::{Sample, Value};
use promql::{Ast, Options};
use request::Context;

use crate::compare;
use crate::script::{Command, Eval, ExpectKind, Expected, Steps, parse};
use crate::storage::Storage;

/// An `eval` that did not give what it expects, or a command that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Line of the script, from 1.
    pub line: usize,
    /// What was evaluated and how it differs.
    pub message: String,
}

/// How a script went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many `eval` commands gave what they expect, in all their variants.
    pub passed: usize,
    pub failures: Vec<Failure>,
}

impl Report {
    /// Whether every `eval` gave what it expects.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }
}

/// The failures, a line each, and the sum: `N passed, M failed`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "line {}: {}", failure.line, failure.message)?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

/// How many samples a query of a script may hold.
const MAX_SAMPLES: u64 = 10_000;

/// Runs scripts. All parser options are on, names are dropped late, start timestamps are looked at, subqueries
/// step by a minute, 10 000 samples are the limit: as in Prometheus' harness.
#[derive(Debug)]
pub struct Tester {
    engine: Engine,
}

impl Default for Tester {
    fn default() -> Self {
        Self::with(Settings {
            delayed_name_removal: true,
            start_timestamps: true,
            max_samples: MAX_SAMPLES,
            ..Settings::default()
        })
    }
}

impl Tester {
    /// With other settings of the engine.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        Self { engine: Engine::new(settings) }
    }

    /// Runs a script from an empty storage. Does not stop at failures.
    #[must_use]
    pub fn run(&self, script: &str) -> Report {
        let mut report = Report::default();
        let mut storage = Storage::default();
        let mut memory = storage.queryable();
        for command in parse(script) {
            match command {
                Ok(Command::Clear) => storage.clear(),
                Ok(Command::Load(load)) => storage.load(&load),
                Ok(Command::Eval(eval)) => {
                    match self.eval(&eval, &memory) {
                        Ok(()) => report.passed += 1,
                        Err(message) => {
                            let message = format!("{}: {message}", eval.expr);
                            report.failures.push(Failure { line: eval.line, message });
                        }
                    }
                    continue;
                }
                Err(e) => {
                    report.failures.push(Failure { line: e.line, message: e.message });
                    continue;
                }
            }
            memory = storage.queryable();
        }
        report
    }

    fn eval(&self, eval: &Eval, memory: &Memory) -> Result<(), String> {
        match eval.steps {
            Steps::Range { start, end, step } => {
                let grid = Grid { start_ms: start, end_ms: end, step_ms: step };
                let Some(value) = self.checked(eval, &eval.expr, memory, Time::Range(grid))? else { return Ok(()) };
                compare::result(eval, &value)
            }
            Steps::Instant(time) => {
                self.instant(eval, &eval.expr, time, memory)?;
                for (expr, time) in at::variants(&eval.expr, time)? {
                    let placed = |message| format!("as {expr} at {time} ms: {message}");
                    self.instant(eval, &expr, time, memory).map_err(placed)?;
                }
                Ok(())
            }
        }
    }

    /// An instant query, and the middle step of a range query around it.
    fn instant(&self, eval: &Eval, expr: &str, time: i64, memory: &Memory) -> Result<(), String> {
        let Some(value) = self.checked(eval, expr, memory, Time::Instant(time))? else { return Ok(()) };
        compare::result(eval, &value)?;
        let only_instant = matches!(&eval.expected, Expected::String(_) | Expected::Series { range: Some(_), .. });
        if only_instant || asks_for_the_query(expr) {
            return Ok(());
        }
        let grid = Grid { start_ms: time - 60_000, end_ms: time + 60_000, step_ms: 60_000 };
        let in_range = |message| format!("in range mode: {message}");
        let outcome = self.evaluate(expr, memory, Time::Range(grid)).map_err(in_range)?;
        let matrix = match outcome.0.map_err(|e| in_range(e.to_string()))? {
            Value::Matrix(matrix) => matrix,
            other => return Err(in_range(format!("got a {}", other.kind()))),
        };
        if eval.has(ExpectKind::Ordered) {
            return Ok(());
        }
        compare::sorted(&matrix).map_err(in_range)?;
        let mut samples = Vec::new();
        for series in matrix {
            if let Some(at) = series.t.iter().position(|t| *t == time) {
                samples.push(Sample { labels: series.labels, t: time, v: series.v[at], h: None });
            } else if let Some((_, h)) = series.h.into_iter().find(|(t, _)| *t == time) {
                samples.push(Sample { labels: series.labels, t: time, v: 0.0, h: Some(h) });
            }
        }
        let middle = match (&value, samples.first()) {
            (Value::Scalar { .. }, Some(sample)) => Value::Scalar { t: time, v: sample.v },
            (Value::Scalar { .. }, None) => return Err(in_range("got nothing".to_owned())),
            _ => Value::Vector(samples),
        };
        compare::result(eval, &middle).map_err(in_range)
    }

    /// Evaluates and checks failure and messages; `None` where it failed as expected.
    fn checked(&self, eval: &Eval, expr: &str, memory: &Memory, time: Time) -> Result<Option<Value>, String> {
        let (outcome, cx) = self.evaluate(expr, memory, time)?;
        match outcome {
            Err(e) if eval.has(ExpectKind::Fail) => messages::failure(eval, &e.to_string()).map(|()| None),
            Err(e) => Err(format!("error evaluating the query: {e}")),
            Ok(_) if eval.has(ExpectKind::Fail) => Err("expected an error but got none".to_owned()),
            Ok(value) => messages::notes(eval, cx.coverage()).map(|()| Some(value)),
        }
    }

    fn evaluate(&self, expr: &str, memory: &Memory, time: Time) -> Result<(Result<Value, Error>, Context), String> {
        let ast: Ast = promql::parse(expr, &Options::default()).map_err(|e| e.to_string())?;
        let query = Query { text: expr, ast: &ast };
        let now = match time {
            Time::Instant(t) => t,
            Time::Range(grid) => grid.end_ms,
        };
        let cx = Context::inline(now);
        // A query that panics fails its own command only.
        let outcome = catch_unwind(AssertUnwindSafe(|| match time {
            Time::Instant(t) => block_on(self.engine.instant(&cx, query, t, memory)),
            Time::Range(grid) => block_on(self.engine.range(&cx, query, grid, memory)),
        }));
        outcome.map(|value| (value, cx)).map_err(|_| "evaluation panicked".to_owned())
    }
}

#[derive(Clone, Copy, Debug)]
enum Time {
    Instant(i64),
    Range(Grid),
}

/// Whether an expression has `start()`, `end()`, `range()` or `step()`, which are other values in a range
/// query.
fn asks_for_the_query(expr: &str) -> bool {
    ["start()", "end()", "range()", "step()"].iter().any(|call| expr.contains(call))
}

#[cfg(test)]
mod tests;
