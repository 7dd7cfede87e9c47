//! The engine's answers, through the JSON that the HTTP API writes.

use std::sync::{Arc, Mutex, mpsc};

use anyhow::Result;
use api::Notes;
use engine::{Engine, Error, Queryable, Settings};
use futures::executor::block_on;
use model::Value;
use request::{Context, CpuPool, InlinePool, MemoryBudget};

use crate::answer::Answer;
use crate::query::{Query, When};

/// What the engine gives for `query`, and its warnings and infos.
///
/// # Errors
/// As the engine.
pub fn evaluate(
    query: &Query,
    source: &dyn Queryable,
    settings: Settings,
    pool: &Arc<dyn CpuPool>,
) -> Result<(Value, Notes), Error> {
    let ast = promql::parse(&query.text, &promql::Options::default()).map_err(|e| Error::BadQuery(e.to_string()))?;
    let asked = engine::Query { text: &query.text, ast: &ast };
    let unlimited = MemoryBudget::new(u64::MAX).account(u64::MAX);
    let cx = Context::new(0, unlimited, Arc::clone(pool), Arc::new(InlinePool));
    let engine = Engine::new(settings);
    let value = match query.when {
        When::At(t) => block_on(engine.instant(&cx, asked, t, source)),
        When::Over { .. } => block_on(engine.range(&cx, asked, query.grid(), source)),
    }?;
    let notes = Notes { warnings: cx.coverage().warnings(), infos: cx.coverage().infos(), coverage: None };
    Ok((value, notes))
}

/// As [`evaluate`], in the form of the API.
///
/// # Errors
/// When what the API writes is not what the API is.
pub fn answer(query: &Query, source: &dyn Queryable, settings: Settings, pool: &Arc<dyn CpuPool>) -> Result<Answer> {
    match evaluate(query, source, settings, pool) {
        Ok((value, notes)) => {
            let body: Vec<u8> = api::query_result(value, &notes, &api::Extras::default()).concat();
            Answer::parse(&serde_json::from_slice(&body)?)
        }
        Err(e) => {
            let kind = if matches!(e, Error::BadQuery(_)) { "bad_data" } else { "execution" };
            Ok(Answer::Refused { kind: kind.to_owned(), text: e.to_string() })
        }
    }
}

/// A pool of threads that end with it.
#[derive(Debug)]
pub struct Threads {
    sender: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    threads: usize,
}

impl Threads {
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let (sender, receiver) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = Arc::clone(&receiver);
            std::thread::spawn(move || {
                loop {
                    let taken = receiver.lock().map(|receiver| receiver.recv());
                    let Ok(Ok(job)) = taken else { return };
                    job();
                }
            });
        }
        Self { sender, threads }
    }
}

impl CpuPool for Threads {
    fn execute(&self, job: Box<dyn FnOnce() + Send>) {
        // Without threads the job is dropped, and whoever waits for it is told.
        let _gone = self.sender.send(job);
    }

    fn threads(&self) -> usize {
        self.threads
    }
}

/// All there is to an answer, to the bit: the debug form tells every number apart; NaNs are all `NaN`. Notes
/// have no order.
#[must_use]
pub fn bits(query: &Query, source: &dyn Queryable, settings: Settings, pool: &Arc<dyn CpuPool>) -> String {
    match evaluate(query, source, settings, pool) {
        Ok((value, Notes { mut warnings, mut infos, .. })) => {
            warnings.sort_unstable();
            infos.sort_unstable();
            format!("{value:?} {warnings:?} {infos:?}")
        }
        Err(e) => format!("{e:?}"),
    }
}
