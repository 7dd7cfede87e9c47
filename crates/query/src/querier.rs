use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::{ApiError, ErrorType, Extras, Limit, Notes};
use axum::Router;
use daemon::Shell;
use model::Matcher;
use request::Context;
use store::{Endpoints, Proxy, ProxyOptions, Store};

use crate::active::{ActiveQueries, Listed};
use crate::asked::Client;
use crate::evaluate::Evaluated;
use crate::gate::Gate;
use crate::journal::Journal;
use crate::params::{Evaluation, Lookup, Options};
use crate::respond::{self, Answer, interrupted};
use crate::settings::Settings;
use crate::{evaluate, lookup, routes};

/// What a querier asks: all of it, or the part behind some addresses.
pub trait Upstreams: fmt::Debug + Send + Sync {
    /// A store over all of them.
    fn store(&self) -> Arc<dyn Store>;

    /// A store over those whose address matches one of `sets` (matchers on other labels than
    /// `__address__` hold always).
    fn restricted(&self, sets: &[Vec<Matcher>]) -> Arc<dyn Store>;

    /// Each with its kind, for `stores`.
    fn statuses(&self) -> Vec<(&'static str, api::StoreStatus)>;
}

/// Answers Prometheus' HTTP API over any store. Clones are the same querier.
#[derive(Clone, Debug)]
pub struct Querier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shell: Shell,
    upstreams: Arc<dyn Upstreams>,
    settings: Settings,
    gate: Gate,
    active: ActiveQueries,
    journal: Journal,
    started_ms: i64,
}

/// How a query is evaluated.
pub(crate) struct Planned {
    pub(crate) plan: api::PlanTree,
    /// Where it was.
    pub(crate) given: Option<Given>,
}

/// What an evaluated query gave.
pub(crate) struct Given {
    /// `matrix`, `vector`, `scalar` or `string`.
    pub(crate) kind: &'static str,
    pub(crate) series: usize,
    pub(crate) took: api::QueryStats,
    pub(crate) notes: Notes,
}

impl Querier {
    /// A querier over `store` within this process. Registers its metrics with the shell.
    #[must_use]
    pub fn new(shell: &Shell, store: Arc<dyn Store>, settings: Settings) -> Self {
        Self::over(shell, Arc::new(One(store)), settings)
    }

    /// A querier over several stores within this process, which may change.
    #[must_use]
    pub fn within(shell: &Shell, stores: Arc<Endpoints>, options: ProxyOptions, settings: Settings) -> Self {
        let proxy = Proxy::new(Arc::clone(&stores), options);
        Self::over(shell, Arc::new(Several { stores, proxy }), settings)
    }

    /// A querier over endpoints that come and go.
    #[must_use]
    pub fn over(shell: &Shell, upstreams: Arc<dyn Upstreams>, settings: Settings) -> Self {
        let (gate, journal) = shell.metrics().register(|registry| {
            let gate = Gate::new(settings.concurrent_max, registry);
            (gate, Journal::new(settings.concurrent_max, settings.log_longer_than, registry))
        });
        Self(Arc::new(Inner {
            shell: shell.clone(),
            upstreams,
            settings,
            gate,
            active: ActiveQueries::default(),
            journal,
            started_ms: daemon::now_ms(),
        }))
    }

    /// Its routes, to be served as they are: the HTTP API and a page that shows what is there.
    pub fn router(&self) -> Router {
        routes::router(self)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn shell(&self) -> &Shell {
        &self.0.shell
    }

    pub(crate) fn upstreams(&self) -> &dyn Upstreams {
        &*self.0.upstreams
    }

    pub(crate) fn started_ms(&self) -> i64 {
        self.0.started_ms
    }

    pub(crate) fn active(&self) -> &ActiveQueries {
        &self.0.active
    }

    /// Answers `query` and `query_range`.
    pub(crate) async fn evaluate(&self, evaluation: Evaluation, client: Client) -> Answer {
        let (stats, as_text) = (evaluation.stats, evaluation.as_text);
        let pool = Arc::clone(self.0.shell.pool());
        self.run(evaluation, client, async move |evaluated, took| {
            let Evaluated { value, notes, analysis, lease } = evaluated;
            if let (true, Some(plan)) = (as_text, &analysis) {
                return Ok(respond::text(plan.text()));
            }
            let extras = Extras { stats: stats.then_some(took), analysis };
            respond::pieces(&pool, &notes, api::query_result(value, &notes, &extras), lease).await
        })
        .await
    }

    /// Evaluates when its turn comes, on the CPU pool, and goes on with what came of it there.
    async fn run<T, F>(
        &self,
        evaluation: Evaluation,
        client: Client,
        go_on: impl FnOnce(Evaluated, api::QueryStats) -> F + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ApiError>> + Send,
    {
        let options = evaluation.options.clone();
        let endpoint = if evaluation.instant { "query" } else { "query_range" };
        let asked = (endpoint, evaluation.query.clone(), client);
        self.attend(&options, asked, async |cx, listed| {
            listed.set_waiting(true);
            let turn = self.0.gate.enter(&listed.entry().client.queue).await;
            let turn =
                turn.map_err(|e| ApiError::new(ErrorType::Unavailable, e.to_string()).for_limit(Limit::Concurrency))?;
            listed.set_waiting(false);
            let (querier, own) = (self.clone(), cx.clone());
            let work = async move {
                // Until nothing is under way any more.
                let _turn = turn;
                let queue = own.timer().elapsed();
                let store = querier.store(&evaluation.options);
                let evaluated = evaluate::evaluate(store, &own, querier.settings(), &evaluation).await?;
                let stats = api::QueryStats {
                    queue,
                    eval: own.timer().elapsed().saturating_sub(queue),
                    samples: own.stats().samples.load(Ordering::Relaxed),
                    peak_samples: own.memory().peak() / 8,
                };
                go_on(evaluated, stats).await
            };
            cx.drive(work).await.map_err(interrupted)?
        })
        .await
    }

    /// The plan of a query; where it is to be analysed, it is evaluated, and its parts tell what they took.
    pub(crate) async fn plan(&self, evaluation: Evaluation, client: Client) -> Result<Planned, ApiError> {
        if !evaluation.analyze {
            return Ok(Planned { plan: evaluate::explain(&self.0.settings, &evaluation)?, given: None });
        }
        let run = self.run(evaluation, client, |evaluated, took| std::future::ready(Ok((evaluated, took))));
        let (Evaluated { value, analysis, notes, lease: _lease }, took) = run.await?;
        let series = match &value {
            model::Value::Scalar { .. } | model::Value::String { .. } => 1,
            model::Value::Vector(samples) => samples.len(),
            model::Value::Matrix(series) => series.len(),
        };
        let given = Given { kind: value.kind(), series, took, notes };
        Ok(Planned { plan: analysis.unwrap_or_default(), given: Some(given) })
    }

    /// Answers `query_explain` and `query_range_explain`.
    pub(crate) fn explain(&self, evaluation: &Evaluation) -> Answer {
        let plan = evaluate::explain(&self.0.settings, evaluation)?;
        if evaluation.as_text {
            return Ok(respond::text(plan.text()));
        }
        let mut data = Vec::new();
        plan.write_plan(&mut data);
        Ok(respond::written(&data))
    }

    /// Answers `labels` (no `label`) and `label/…/values`.
    pub(crate) async fn names(&self, label: Option<&str>, lookup: Lookup, client: Client) -> Answer {
        let which = label.map_or(lookup::Which::Names, lookup::Which::ValuesOf);
        let endpoint = if label.is_some() { "label_values" } else { "label_names" };
        let asked = (endpoint, lookup.text(), client);
        let (names, notes) = self
            .attend(&lookup.options, asked, async |cx, _| {
                lookup::names(&*self.store(&lookup.options), &cx, which, &lookup).await
            })
            .await?;
        respond::pieces(self.0.shell.pool(), &notes, api::names(names, &notes), ()).await
    }

    /// Answers `series`.
    pub(crate) async fn series(&self, lookup: Lookup, client: Client) -> Answer {
        let asked = ("series", lookup.text(), client);
        let (sets, notes, lease) = self
            .attend(&lookup.options, asked, async |cx, _| {
                lookup::series(&*self.store(&lookup.options), &cx, &lookup).await
            })
            .await?;
        respond::pieces(self.0.shell.pool(), &notes, api::label_sets(sets, &notes), lease).await
    }

    fn store(&self, options: &Options) -> Arc<dyn Store> {
        match options.stores.as_slice() {
            [] => self.0.upstreams.store(),
            sets => self.0.upstreams.restricted(sets),
        }
    }

    /// Runs `work` in a context of its own until its deadline or until an operator ends it. All that it
    /// began stops when the client goes away, for then this future is dropped.
    async fn attend<T>(
        &self,
        options: &Options,
        (endpoint, query, client): (&'static str, String, Client),
        work: impl AsyncFnOnce(Context, &Listed) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let cx = self.0.shell.request_within(options.timeout, self.0.settings.query_memory_bytes);
        let listed = self.0.active.enter(endpoint, query, client, &cx);
        let mut followed = self.0.journal.begin(listed);
        let listed = followed.listed();
        let result = tokio::select! {
            biased;
            () = listed.ended() => Err(ended()),
            result = self.0.shell.attend(&cx, work(cx.clone(), listed)) => match result {
                Ok(Err(_)) if listed.is_ended() => Err(ended()),
                Ok(result) => result,
                Err(e) => Err(interrupted(e)),
            },
        };
        followed.end(&result);
        result
    }
}

fn ended() -> ApiError {
    ApiError::new(ErrorType::Canceled, "query was ended by an operator").for_limit(Limit::Operator)
}

/// One store in this process.
#[derive(Debug)]
struct One(Arc<dyn Store>);

impl Upstreams for One {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0)
    }

    fn restricted(&self, _: &[Vec<Matcher>]) -> Arc<dyn Store> {
        Arc::clone(&self.0)
    }

    fn statuses(&self) -> Vec<(&'static str, api::StoreStatus)> {
        let info = self.0.info();
        vec![(info.kind.as_str(), status(&info, daemon::now_ms(), None))]
    }
}

/// Stores in this process.
#[derive(Debug)]
struct Several {
    stores: Arc<Endpoints>,
    proxy: Proxy,
}

impl Upstreams for Several {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.proxy.clone())
    }

    fn restricted(&self, sets: &[Vec<Matcher>]) -> Arc<dyn Store> {
        Arc::new(self.proxy.matching(sets.to_vec()))
    }

    fn statuses(&self) -> Vec<(&'static str, api::StoreStatus)> {
        let infos = self.stores.get().iter().map(|s| s.info()).collect::<Vec<_>>();
        infos.iter().map(|info| (info.kind.as_str(), status(info, daemon::now_ms(), None))).collect()
    }
}

/// What `stores` shows of one endpoint.
pub(crate) fn status(info: &store::StoreInfo, checked_ms: i64, error: Option<String>) -> api::StoreStatus {
    let range = info.time_range();
    let sets = info.extents.iter().map(|e| e.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
    let mut label_sets: Vec<std::collections::BTreeMap<_, _>> = sets.collect();
    label_sets.sort();
    label_sets.dedup();
    api::StoreStatus {
        name: info.name.clone(),
        last_check: api::format_rfc3339(checked_ms),
        last_error: error,
        label_sets,
        min_time: range.map_or(0, |r| r.min),
        max_time: range.map_or(0, |r| r.max),
    }
}
