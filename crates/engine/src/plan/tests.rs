//! What rewrites do to the reads of a query; that they change no answer is tested with random queries.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use futures::executor::block_on;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use model::Labels;
use request::Context;

use super::{Rewrite, Rewrites};
use crate::testing::Memory;
use crate::{Encoded, Engine, Error, Grid, Query, Queryable, Select, Settings};

/// Counts and keeps what is asked of it.
#[derive(Debug)]
struct Recording {
    memory: Memory,
    asked: Mutex<Vec<Select>>,
}

impl Recording {
    fn new() -> Self {
        let mut memory = Memory::new().with_batches_of(1);
        for (name, job) in [("a", "x"), ("a", "y"), ("b_total", "x"), ("b_total", "y")] {
            let labels = Labels::from_pairs([("__name__", name), ("job", job)]);
            memory.add_floats(labels, (0..20).map(|i| (i * 30_000, i as f64)));
        }
        Self { memory, asked: Mutex::default() }
    }

    /// What `query` asks for over some steps.
    fn asked(&self, query: &str, rewrites: Rewrites) -> Vec<Select> {
        let ast = promql::parse(query, &promql::Options::default()).unwrap_or_else(|e| panic!("{query}: {e}"));
        let grid = Grid { start_ms: 300_000, end_ms: 600_000, step_ms: 60_000 };
        let engine = Engine::new(Settings { rewrites, ..Settings::default() });
        let cx = Context::inline(0);
        let range = engine.range(&cx, Query { text: query, ast: &ast }, grid, self);
        block_on(range).unwrap_or_else(|e| panic!("{query}: {e}"));
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Queryable for Recording {
    fn select(&self, cx: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(select.clone());
        self.memory.select(cx, select)
    }
}

#[test]
fn common_parts_share_one_read() {
    let source = Recording::new();
    let alone = Rewrites::default().without(Rewrite::Share);
    let check = |query: &str, shared: usize, unshared: usize| {
        assert_eq!(source.asked(query, Rewrites::default()).len(), shared, "{query}");
        assert_eq!(source.asked(query, alone).len(), unshared, "{query}, not shared");
    };
    check("a / a", 1, 2);
    check("rate(b_total[5m]) / rate(b_total[5m] offset 0s)", 1, 2);
    check("sum(rate(b_total[5m])) / count(rate(b_total[5m]))", 1, 2);
    check("sum by (job) (a) / on () group_left sum(a)", 1, 2);
    check("a / on () group_left sum(a)", 1, 2);
    check("quantile(0.5, a) + quantile(0.9, a) + max(a)", 1, 3);
    check("sum(a) / sum(a offset 1m)", 2, 2);
    check("rate(b_total[5m]) / increase(b_total[5m])", 2, 2);
    check("sum(a * (1 + 1)) / max(a * 2)", 1, 2);
}

#[test]
fn matchers_go_over_joins() {
    let source = Recording::new();
    let check = |query: &str, expected: &[&str]| {
        let asked = source.asked(query, Rewrites::default());
        let texts =
            asked.iter().map(|select| select.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        assert_eq!(texts.collect::<Vec<_>>(), expected, "{query}");
    };
    let (a, b) = ("job=\"x\",__name__=\"a\"", "__name__=\"b_total\",job=\"x\"");
    check("a{job=\"x\"} / b_total", &[a, b]);
    check("a{job=\"x\"} / rate(b_total[5m])", &[a, b]);
    check("rate(b_total[5m]) unless a{job=\"x\"}", &["__name__=\"b_total\"", a]);
    check("a{job=\"x\"} / on (job) sum by (job) (b_total)", &[a, b]);
    // The right side has to be unique, and might not be.
    check("a{job=\"x\"} / on (job) b_total", &[a, "__name__=\"b_total\""]);
    check("b_total / on (job) a{job=\"x\"}", &["__name__=\"b_total\"", a]);
    check("b_total / on (job) group_left max by (job) (a{job=\"x\"})", &[b, a]);
    check("a{job=\"x\"} / ignoring (job) sum(b_total)", &[a, "__name__=\"b_total\""]);
    check("a{job=\"x\"} or b_total", &[a, "__name__=\"b_total\""]);
    check("a{job=\"x\"} + fill (0) b_total", &[a, "__name__=\"b_total\""]);
}

/// Gives nothing before it is asked for so many selectors at once.
#[derive(Debug)]
struct Together {
    memory: Memory,
    needed: usize,
    polled: Arc<AtomicUsize>,
    waiting: Arc<Mutex<Vec<Waker>>>,
}

impl Queryable for Together {
    fn select(&self, cx: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>> {
        let (needed, polled, waiting) = (self.needed, Arc::clone(&self.polled), Arc::clone(&self.waiting));
        let mut first = true;
        let gate = futures::future::poll_fn(move |task| {
            if std::mem::take(&mut first) {
                polled.fetch_add(1, Ordering::Relaxed);
            }
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if polled.load(Ordering::Relaxed) < needed {
                waiting.push(task.waker().clone());
                return Poll::Pending;
            }
            waiting.drain(..).for_each(Waker::wake);
            Poll::Ready(())
        });
        let inner = self.memory.select(cx, select);
        stream::once(gate.map(|()| inner)).flatten().boxed()
    }
}

#[test]
fn selectors_are_read_side_by_side() {
    let source =
        Together { memory: Recording::new().memory, needed: 3, polled: Arc::default(), waiting: Arc::default() };
    let query = "sum(a) * 8 + sum(rate(b_total[5m])) * 8 + count(a offset 1m)";
    let ast = promql::parse(query, &promql::Options::default()).expect("a query");
    let instant = Engine::default();
    let cx = Context::inline(0);
    let answer = instant.instant(&cx, Query { text: query, ast: &ast }, 300_000, &source);
    assert!(block_on(answer).is_ok());
}

#[test]
fn a_rewrite_alone_changes_no_answer() {
    let mut memory = Recording::new().memory;
    for job in ["x", "y"] {
        let h = model::FloatHistogram { count: 1.0, zero_count: 1.0, ..model::FloatHistogram::default() };
        let columns = block::Columns { ht: vec![300_000], h: vec![h], ..block::Columns::default() };
        memory.add(Labels::from_pairs([("__name__", "h"), ("job", job)]), columns);
    }
    let answer = |query: &str, rewrites: Rewrites| {
        let ast = promql::parse(query, &promql::Options::default()).unwrap_or_else(|e| panic!("{query}: {e}"));
        let grid = Grid { start_ms: 300_000, end_ms: 480_000, step_ms: 60_000 };
        let engine = Engine::new(Settings { rewrites, ..Settings::default() });
        let cx = Context::inline(0);
        let value = block_on(engine.range(&cx, Query { text: query, ast: &ast }, grid, &memory));
        let (mut warnings, mut infos) = (cx.coverage().warnings(), cx.coverage().infos());
        warnings.sort_unstable();
        infos.sort_unstable();
        format!("{value:?} {warnings:?} {infos:?}")
    };
    for query in [
        // The parameter of what is pinned is that of the first step, as in Prometheus.
        r#"limit_ratio(scalar(a{job="x"}), b_total @ end())"#,
        r#"quantile(scalar(b_total{job="x"} / 20), a @ end())"#,
        r#"topk(scalar(a{job="y"} > 12), a @ 300)"#,
        // What is left out must not have had anything to say.
        r#"max by (job) (h) and on (job) b_total{job="x"}"#,
        r#"max without (i) (h @ start()) and ignoring (i) day_of_year(b_total{job=~"a|b"})"#,
    ] {
        let expected = answer(query, Rewrites::default());
        assert_eq!(answer(query, Rewrites::none()), expected, "{query}");
        for rewrite in Rewrite::ALL {
            assert_eq!(answer(query, Rewrites::default().without(rewrite)), expected, "{query}, without {rewrite:?}");
        }
    }
}
