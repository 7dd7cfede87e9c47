//! The entry: a parsed query in, its value out.

use model::Value;
use promql::{Ast, ValueType};
use request::Context;

use crate::exec::Run;
use crate::notes::Notes;
use crate::plan::Rewrites;
use crate::{Error, Explanation, Grid, Queryable, plan};

/// As Prometheus words it.
pub(crate) const TOO_MANY_SAMPLES: &str = "query processing would load too many samples into memory in query execution";

/// What holds for every query of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How old a sample an instant selector takes at most, in milliseconds; left-open.
    pub lookback_ms: i64,
    /// The step of subqueries that give none, in milliseconds.
    pub subquery_step_ms: i64,
    /// How many values a query may hold at once (`--query.max-samples`).
    pub max_samples: u64,
    /// Names are dropped at the end of the query instead of by each function
    /// (`promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// Counters' start timestamps tell of resets (`use-start-timestamps`).
    pub start_timestamps: bool,
    /// Whether a metric is a counter is told by its label `__type__` instead of by its name
    /// (`type-and-unit-labels`).
    pub type_and_unit_labels: bool,
    /// Which rewrites of plans are made; all, but in tests.
    pub rewrites: Rewrites,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            subquery_step_ms: 60_000,
            max_samples: 50_000_000,
            delayed_name_removal: false,
            start_timestamps: false,
            type_and_unit_labels: false,
            rewrites: Rewrites::default(),
        }
    }
}

/// A parsed query with the text it came from, which positions in warnings refer to.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub text: &'a str,
    pub ast: &'a Ast,
}

/// Evaluates queries. Cheap to copy; per-query settings make another engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engine {
    settings: Settings,
}

impl Engine {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The value of `query` at `time_ms` (Unix milliseconds). Warnings and infos go to the context's
    /// coverage.
    ///
    /// # Errors
    /// [`Error::BadQuery`] for what cannot be evaluated at all, [`Error::Execution`] for what cannot be
    /// over these data, limits, failures of the source, interruption.
    pub async fn instant(
        &self,
        cx: &Context,
        query: Query<'_>,
        time_ms: i64,
        source: &dyn Queryable,
    ) -> Result<Value, Error> {
        let grid = Grid { start_ms: time_ms, end_ms: time_ms, step_ms: 1 };
        self.run(cx, query, grid, source, Kind::Instant, None).await
    }

    /// The values of `query` at every step of `grid`, as a matrix sorted by labels.
    ///
    /// # Errors
    /// As [`Engine::instant`]; [`Error::BadQuery`] also for expressions that are neither scalar nor
    /// instant vector and for a step that is not positive.
    pub async fn range(
        &self,
        cx: &Context,
        query: Query<'_>,
        grid: Grid,
        source: &dyn Queryable,
    ) -> Result<Value, Error> {
        check_range(query, grid)?;
        self.run(cx, query, grid, source, Kind::Range, None).await
    }

    /// As [`Engine::instant`] (at the start of `grid`) or [`Engine::range`], with what each part of the query
    /// took.
    ///
    /// # Errors
    /// As those.
    pub async fn analyze(
        &self,
        cx: &Context,
        query: Query<'_>,
        grid: Grid,
        instant: bool,
        source: &dyn Queryable,
    ) -> Result<(Value, Explanation), Error> {
        let kind = if instant { Kind::Instant } else { Kind::Range };
        if kind == Kind::Range {
            check_range(query, grid)?;
        }
        let mut explanation = Explanation::default();
        let value = self.run(cx, query, grid, source, kind, Some(&mut explanation)).await?;
        Ok((value, explanation))
    }

    /// What would be done for `query` at the steps of `grid`.
    ///
    /// # Errors
    /// [`Error::BadQuery`] as [`Engine::instant`] and [`Engine::range`].
    pub fn explain(&self, query: Query<'_>, grid: Grid, instant: bool) -> Result<Explanation, Error> {
        let kind = if instant { Kind::Instant } else { Kind::Range };
        if kind == Kind::Range {
            check_range(query, grid)?;
        }
        Ok(Explanation::of(&plan::build(query.ast, grid, kind, &self.settings)?, &self.settings))
    }

    async fn run(
        &self,
        cx: &Context,
        query: Query<'_>,
        grid: Grid,
        source: &dyn Queryable,
        kind: Kind,
        explanation: Option<&mut Explanation>,
    ) -> Result<Value, Error> {
        if grid.is_empty() {
            return Ok(Value::Matrix(Vec::new()));
        }
        let plan = plan::build(query.ast, grid, kind, &self.settings)?;
        let explanation = explanation.map(|explanation| {
            *explanation = Explanation::of(&plan, &self.settings);
            &*explanation
        });
        let mut notes = Notes::default();
        let run = Run::new(cx, &self.settings, source, &mut notes).explained(explanation);
        let value = run.value(plan, grid, kind).await;
        notes.report(query.text, cx.coverage());
        value
    }
}

/// # Errors
/// When a range query cannot ask for this, or in these steps.
fn check_range(query: Query<'_>, grid: Grid) -> Result<(), Error> {
    let value_type = query.ast.value_type(query.ast.root());
    if !matches!(value_type, ValueType::Scalar | ValueType::Vector) {
        return Err(Error::BadQuery(format!(
            "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
            value_type.documented()
        )));
    }
    if grid.step_ms <= 0 {
        return Err(Error::BadQuery("the step of a range query must be positive".to_owned()));
    }
    Ok(())
}

/// Which question was asked; it decides the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Instant,
    Range,
}

#[cfg(test)]
mod tests;
