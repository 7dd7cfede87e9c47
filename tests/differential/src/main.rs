//! Asks random queries of a local Prometheus and of the engine, and says where they differ.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use differential::answer::Answer;
use differential::blocks::{self, Blocks};
use differential::compare::{Part, difference, is_ordered};
use differential::exceptions::{Case, explain};
use differential::grammar;
use differential::identity::Ways;
use differential::peer::Peer;
use differential::query::{Query, When};
use differential::sides::Sides;
use differential::{data, esker, recorded};
use engine::Settings;
use request::{CpuPool, InlinePool};

/// Random queries over random data, asked of Prometheus and of the engine.
#[derive(Debug, Parser)]
struct Args {
    /// The peer's binary: `prometheus=PATH`.
    #[arg(long)]
    peer: String,
    /// How many queries.
    #[arg(long, default_value_t = 1000)]
    queries: u64,
    /// Where data and queries come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the first query.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many differences are printed.
    #[arg(long, default_value_t = 10)]
    show: usize,
    /// Prints differences of this part only, e.g. `values`.
    #[arg(long)]
    part: Option<String>,
    /// Both sides drop names at the end of the query.
    #[arg(long)]
    delayed_name_removal: bool,
    /// Also asks the engine with 2 and with 7 threads and with each rewrite of the plan off: the same bits have
    /// to come out.
    #[arg(long)]
    self_check: bool,
    /// Asks this query instead and prints both answers.
    #[arg(long)]
    ask: Option<String>,
    /// When `--ask` is asked: milliseconds, or start, end and step with commas.
    #[arg(long, default_value = "1699999200000")]
    at: String,
    /// Records the answers of queries that agree in this file.
    #[arg(long)]
    record: Option<PathBuf>,
    /// How many are recorded at most.
    #[arg(long, default_value_t = 1000)]
    record_count: usize,
    /// The longest answer in bytes that is recorded.
    #[arg(long, default_value_t = 12_000)]
    record_bytes_max: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let program = args.peer.strip_prefix("prometheus=").context("--peer takes prometheus=PATH")?;
    let dir = tempfile::tempdir()?;
    let series = data::generate(args.seed);
    blocks::write(dir.path(), &series)?;
    let source = Blocks::open(dir.path())?;
    let features: Vec<String> =
        args.delayed_name_removal.then(|| "promql-delayed-name-removal".to_owned()).into_iter().collect();
    let settings = Settings { delayed_name_removal: args.delayed_name_removal, ..Settings::default() };
    let peer = Peer::start(program.as_ref(), dir.path(), &features)?;
    let pool: Arc<dyn CpuPool> = Arc::new(InlinePool);
    if let Some(text) = &args.ask {
        let query = Query { text: text.clone(), when: when(&args.at)? };
        let (expected, got) = (peer.ask(&query)?, esker::answer(&query, &source, settings, &pool)?);
        println!("peer  {expected:?}\nesker {got:?}\n{:?}", difference(&expected, &got, is_ordered(text)));
        return Ok(());
    }
    println!("seed {}: {} series, {} samples", args.seed, series.len(), blocks::sample_count(&series));
    let mut tally = Tally::default();
    let mut lines = Vec::new();
    let ways = args.self_check.then(Ways::default);
    for number in args.first..args.first + args.queries {
        let query = grammar::query(args.seed, number, &grammar::Options::default());
        let body = peer.ask_json(&query)?;
        let expected = Answer::parse(&body)?;
        let got = esker::answer(&query, &source, settings, &pool)?;
        tally.count(&expected);
        match ways.as_ref().map(|ways| ways.agree(&query, &source, settings)) {
            None => {}
            Some(Ok(_)) => tally.same_every_way += 1,
            Some(Err(what)) => {
                tally.not_itself += 1;
                if tally.not_itself <= args.show {
                    let what: String = what.chars().take(2000).collect();
                    println!("#{number} {:?}\n  {}\n  {what}", query.when, query.text);
                }
            }
        }
        let ordered = is_ordered(&query.text);
        let Some(difference) = difference(&expected, &got, ordered) else {
            let line = recorded::line(args.seed, &query, &body);
            if args.record.is_some() && lines.len() < args.record_count && line.len() <= args.record_bytes_max {
                lines.push(line);
            }
            continue;
        };
        let case = Case { query: &query, expected: &expected, got: &got, difference: &difference };
        let ask = |query: &Query| peer.ask(query);
        let sides = Sides { peer: &ask, source: &source, settings, pool: &pool };
        if let Some(exception) = explain(&case, &sides)? {
            *tally.explained.entry(exception.name).or_default() += 1;
            if args.part.as_deref() != Some(exception.name) {
                continue;
            }
        } else if is_fickle(&peer, &query, &expected)? {
            *tally.explained.entry("the peer's answers differ").or_default() += 1;
            continue;
        } else {
            *tally.differences.entry(difference.part).or_default() += 1;
        }
        let part = format!("{:?}", difference.part).to_lowercase();
        if tally.shown < args.show && args.part.as_ref().is_none_or(|p| *p == part) {
            tally.shown += 1;
            let what: String = difference.to_string().chars().take(700).collect();
            println!("#{number} {:?}\n  {}\n  {what}", query.when, query.text);
        }
    }
    println!("{tally:?}");
    if let Some(path) = &args.record {
        recorded::write(path, &lines)?;
    }
    if !tally.differences.is_empty() || tally.not_itself > 0 {
        bail!("answers differ");
    }
    Ok(())
}

/// Whether the peer answers otherwise than it did when it is asked again.
fn is_fickle(peer: &Peer, query: &Query, first: &Answer) -> Result<bool> {
    let ordered = is_ordered(&query.text);
    for _ in 0..9 {
        if difference(first, &peer.ask(query)?, ordered).is_some_and(|d| d.part != Part::Wording) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn when(text: &str) -> Result<When> {
    let times = text.split(',').map(str::parse).collect::<Result<Vec<i64>, _>>()?;
    match times[..] {
        [t] => Ok(When::At(t)),
        [start_ms, end_ms, step_ms] => Ok(When::Over { start_ms, end_ms, step_ms }),
        _ => bail!("--at takes one number or three"),
    }
}

#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    with_series: u64,
    refused: u64,
    explained: BTreeMap<&'static str, u64>,
    differences: BTreeMap<Part, u64>,
    /// Queries that came out the same with any number of threads and any rewrite off.
    same_every_way: u64,
    not_itself: usize,
    shown: usize,
}

impl Tally {
    fn count(&mut self, answer: &Answer) {
        match answer {
            Answer::Refused { .. } => self.refused += 1,
            Answer::Given(given) => {
                self.answered += 1;
                self.with_series += u64::from(!given.series.is_empty());
            }
        }
    }
}
