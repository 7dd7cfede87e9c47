//! The index: postings of 5 M series, opening and a first lookup in 1 M series, writing 1 M series. One
//! core, one command: `cargo run --release -p benches --bin index`. The best of several rounds, for the
//! machine may be shared; cold figures are of new readers over pages that the kernel has cached.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use block::index::SPARSE_FILE;
use block::{BlockMeta, BlockWriter, Encoding, IndexReader, NewChunk, Ulid, postings};
use clap::Parser;
use model::{MatchOp, Matcher};

/// What the values of `i` and `n` end in, as in Thanos' benchmark of the same name.
const SUFFIX: &str = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd";
const MILLION: usize = 1_000_000;

#[derive(Debug, Parser)]
struct Args {
    /// Where generated indexes are kept
    #[arg(long, default_value = "target/bench/index")]
    dir: PathBuf,
    /// Series of the index for postings
    #[arg(long, default_value_t = 5 * MILLION)]
    series: usize,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Measure only this: postings, writing or opening (what was written)
    #[arg(long)]
    only: Option<String>,
    /// Only those matchers whose row holds this text
    #[arg(long, default_value = "")]
    matchers: String,
}

impl Args {
    fn measures(&self, what: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == what)
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.dir)?;
    if args.measures("postings") {
        measure_postings(&args)?;
    }
    for shape in [Shape::Fleet, Shape::Unique] {
        let dir = args.dir.join(shape.name());
        if args.measures("writing") {
            measure_writing(&dir, shape, args.rounds.min(5))?;
        }
        if args.measures("opening") {
            measure_opening(&dir, shape, args.rounds)?;
        }
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Milliseconds: the best and the middle round, and what the processor was busy in the mean, which says
/// something on a shared machine too.
struct Times {
    best: f64,
    median: f64,
    busy: f64,
}

fn timed(rounds: usize, mut work: impl FnMut() -> Result<Duration>) -> Result<Times> {
    let rounds = rounds.max(1);
    let before = busy_ms();
    let mut times = (0..rounds).map(|_| Ok(work()?.as_secs_f64() * 1e3)).collect::<Result<Vec<f64>>>()?;
    let busy = (busy_ms() - before) / rounds as f64;
    times.sort_unstable_by(f64::total_cmp);
    Ok(Times { best: times[0], median: times[rounds / 2], busy })
}

/// How long this thread has run so far.
fn busy_ms() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).map_or(f64::NAN, |ns| ns / 1e6)
}

/// One chunk of one sample, the same for all series: only the index counts here.
const CHUNK: NewChunk<'static> =
    NewChunk { min_time: 0, max_time: 0, encoding: Encoding::Xor, payload: &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] };

/// Thanos' data: 10 × (series / 50) values of `n` and `i`, five series each, and `uniq` of its own for each.
fn postings_block(dir: &Path, series: usize) -> Result<()> {
    let values = series / 50;
    let mut i_values: Vec<(String, usize)> = (0..values).map(|i| (format!("{i}{SUFFIX}"), i)).collect();
    i_values.sort_unstable();
    let kinds = ["foo", "bar"];
    let n_values: Vec<String> =
        ["", "0_", "1_", "2_"].iter().flat_map(|p| (0..10).map(move |n| format!("{p}{n}{SUFFIX}"))).collect();
    let mut symbols: Vec<&str> = i_values.iter().map(|(i, _)| &**i).chain(n_values.iter().map(|n| &**n)).collect();
    symbols.extend(["i", "j", "n", "uniq"].into_iter().chain(kinds));
    symbols.sort_unstable();
    symbols.dedup();
    let uniq = (0..values * 50).map(|u| format!("{u:08}"));
    let mut writer = BlockWriter::create(dir, merged(symbols.into_iter().map(str::to_owned), uniq))?;
    for (i, number) in &i_values {
        // The value of `uniq` counts in the order in which Thanos appends.
        let mut rows: Vec<(&str, &str, String)> = Vec::with_capacity(50);
        for n in 0..10 {
            let first = (n * values + number) * 5;
            let kinds = [("foo", 0), ("bar", 0), ("bar", 1), ("bar", 2), ("foo", 3)];
            for (k, (j, prefix)) in kinds.into_iter().enumerate() {
                rows.push((j, &n_values[prefix * 10 + n], format!("{:08}", first + k)));
            }
        }
        rows.sort_unstable();
        for (j, n, uniq) in &rows {
            writer.add_series([("i", &**i), ("j", j), ("n", n), ("uniq", uniq)], &[CHUNK])?;
        }
    }
    writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1))?;
    Ok(())
}

/// Two sorted sequences as one, each string once.
fn merged(a: impl Iterator<Item = String>, b: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x == y => {
            b.next();
            a.next()
        }
        (Some(x), Some(y)) if x > y => b.next(),
        (None, _) => b.next(),
        _ => a.next(),
    })
}

/// What is shown, the matchers, and how many series they select; 0 where that is not known.
type Case<'a> = (&'a str, &'a [(MatchOp, &'a str, &'a str)], usize);

fn measure_postings(args: &Args) -> Result<()> {
    let dir = args.dir.join(format!("postings-{}", args.series));
    if !dir.join("meta.json").exists() {
        say(&format!("writing {} series to {} (once)", args.series, dir.display()))?;
        postings_block(&dir, args.series)?;
    }
    let index = IndexReader::open(&dir.join("index"))?.with_sparse_header(dir.join(SPARSE_FILE));
    let all = index.all_postings()?.len();
    index.symbol_count()?;
    say(&format!(
        "\npostings: {all} series, index {} MiB, sparse header {} KiB",
        index.bytes().len() >> 20,
        kib(&dir)?
    ))?;
    say(&format!(
        "{:<28} {:>9} {:>9} {:>9} {:>9}   of which compiling",
        "matchers", "series", "best", "median", "busy"
    ))?;
    let mut shuffled: Vec<usize> = (0..all).step_by((all / 50_000).max(1)).collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for k in (1..shuffled.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        shuffled.swap(k, (state >> 33) as usize % (k + 1));
    }
    let mut big = String::new();
    shuffled.iter().try_for_each(|u| write!(big, "{}{u:08}", if big.is_empty() { "" } else { "|" }))?;
    let n1 = format!("1{SUFFIX}");
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let cases: [Case<'_>; 12] = [
        ("n=\"1\"", &[(Equal, "n", &n1)], all / 25),
        ("n=\"1\",j=\"foo\"", &[(Equal, "n", &n1), (Equal, "j", "foo")], all / 50),
        ("n=\"1\",j!=\"foo\"", &[(Equal, "n", &n1), (NotEqual, "j", "foo")], all / 50),
        ("i=~\".*\"", &[(Regex, "i", ".*")], all),
        ("i=~\".+\"", &[(Regex, "i", ".+")], all),
        ("i!=\"\"", &[(NotEqual, "i", "")], all),
        ("i=~\"1.+\"", &[(Regex, "i", "1.+")], 0),
        ("i!~\"2.+\"", &[(NotRegex, "i", "2.+")], 0),
        ("n=\"1\",i!~\"2.+\"", &[(Equal, "n", &n1), (NotRegex, "i", "2.+")], 0),
        ("n=\"1\",i=~\".+\",j=\"foo\"", &[(Equal, "n", &n1), (Regex, "i", ".+"), (Equal, "j", "foo")], all / 50),
        ("j=~\"foo|baz\"", &[(Regex, "j", "foo|baz")], all * 2 / 5),
        ("uniq=~\"<50000 values>\"", &[(Regex, "uniq", &big)], shuffled.len()),
    ];
    for (text, conditions, expected) in cases.into_iter().filter(|(text, ..)| text.contains(&args.matchers)) {
        let mut compiling = Duration::MAX;
        let mut found = 0;
        let Times { best, median, busy } = timed(args.rounds, || {
            let start = Instant::now();
            let matchers: Vec<Matcher> =
                conditions.iter().map(|&(op, name, value)| Matcher::new(op, name, value)).collect::<Result<_, _>>()?;
            compiling = compiling.min(start.elapsed());
            let selected = postings::select(&index, &matchers)?;
            let took = start.elapsed();
            found = selected.len();
            ensure!(expected == 0 || found == expected, "{text}: {found} series, expected {expected}");
            Ok(took)
        })?;
        let compiling = compiling.as_secs_f64() * 1e3;
        say(&format!("{text:<28} {found:>9} {best:>6.2} ms {median:>6.2} ms {busy:>6.2} ms   {compiling:.2} ms"))?;
    }
    Ok(())
}

fn kib(dir: &Path) -> Result<u64> {
    Ok(std::fs::metadata(dir.join(SPARSE_FILE)).context("the sparse header")?.len() >> 10)
}

/// How the labels of a million series are distributed.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// 500 metrics of 2 000 pods.
    Fleet,
    /// Each series has a label value of its own: a million symbols, a million lists.
    Unique,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Unique => "unique",
        }
    }

    /// Sorted by name, of series `i` of a million.
    fn labels(self, i: usize, out: &mut Vec<(&'static str, String)>) {
        out.clear();
        let (metric, pod) = (i / 2000, i % 2000);
        out.push(("__name__", format!("metric_number_{metric:03}_total")));
        match self {
            Self::Fleet => {
                out.push(("instance", format!("10.0.{:03}.{:03}:9100", pod / 250, pod % 250)));
                out.push(("job", format!("job-{}", pod % 20)));
                out.push(("namespace", format!("namespace-{}", pod % 50)));
                out.push(("pod", format!("deployment-{:05x}", pod * 40_503 % 1_048_576)));
            }
            Self::Unique => {
                out.push(("id", format!("{:032x}", i as u128 * 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)));
                out.push(("job", format!("job-{}", pod % 20)));
            }
        }
    }
}

/// The series of a shape, as numbers of sorted symbols; all in the order in which it is written, as a reader of
/// blocks gives it, for strings strewn over the heap take longer to read than to write.
#[derive(Default)]
struct Prepared {
    text: String,
    /// Where each symbol ends in the text.
    ends: Vec<usize>,
    labels: Vec<(u32, u32)>,
    /// Where each series ends in the labels.
    series: Vec<usize>,
}

impl Prepared {
    fn symbols(&self) -> impl Iterator<Item = &str> {
        parts(&self.ends).map(|range| &self.text[range])
    }
}

/// What lies before each end, from the one before on.
fn parts(ends: &[usize]) -> impl Iterator<Item = Range<usize>> {
    ends.iter().scan(0, |start, &end| Some(std::mem::replace(start, end)..end))
}

fn prepare(shape: Shape) -> Prepared {
    let mut labels = Vec::new();
    let mut symbols = HashSet::new();
    for i in 0..MILLION {
        shape.labels(i, &mut labels);
        symbols.extend(labels.drain(..).flat_map(|(n, v)| [n.to_owned(), v]));
    }
    let mut symbols: Vec<String> = symbols.into_iter().collect();
    symbols.sort_unstable();
    let numbers: HashMap<&str, u32> = symbols.iter().map(|s| &**s).zip(0..).collect();
    let mut series: Vec<Vec<(u32, u32)>> = (0..MILLION)
        .map(|i| {
            shape.labels(i, &mut labels);
            labels.iter().map(|(n, v)| (numbers[n], numbers[&**v])).collect()
        })
        .collect();
    series.sort_unstable();
    let mut prepared = Prepared::default();
    for symbol in &symbols {
        prepared.text.push_str(symbol);
        prepared.ends.push(prepared.text.len());
    }
    for labels in &series {
        prepared.labels.extend_from_slice(labels);
        prepared.series.push(prepared.labels.len());
    }
    prepared
}

fn measure_writing(dir: &Path, shape: Shape, rounds: usize) -> Result<()> {
    let prepared = prepare(shape);
    let Times { best, median, busy } = timed(rounds, || {
        if dir.exists() {
            std::fs::remove_dir_all(dir)?;
        }
        let start = Instant::now();
        let mut writer = BlockWriter::create(dir, prepared.symbols())?;
        for range in parts(&prepared.series) {
            writer.add_series_refs(&prepared.labels[range], &[CHUNK])?;
        }
        writer.finish(BlockMeta::new(Ulid::from_parts(0, 0), 0, 1))?;
        Ok(start.elapsed())
    })?;
    say(&format!(
        "\nwriting 1 M series ({}, {} symbols): best {best:.0} ms, median {median:.0} ms, busy {busy:.0} ms, {:.2} M series/s",
        shape.name(),
        prepared.ends.len(),
        1e3 / best
    ))
}

fn measure_opening(dir: &Path, shape: Shape, rounds: usize) -> Result<()> {
    let path = dir.join("index");
    let sparse = dir.join(SPARSE_FILE);
    let mut labels = Vec::new();
    shape.labels(MILLION / 3, &mut labels);
    let (name, metric) = labels.swap_remove(0);
    let lookup = |index: &IndexReader| -> Result<()> {
        let list = index.postings(name, &metric)?;
        ensure!(list.len() == 2000, "{} series of {metric}", list.len());
        // The labels of the first one, as an answer has them.
        let mut refs = Vec::new();
        index.series_labels(list.get(0).unwrap_or_default(), &mut refs)?;
        for (n, v) in refs {
            black_box((index.symbol(n)?, index.symbol(v)?));
        }
        Ok(())
    };
    let mut lines =
        [("without a sparse header", None), ("leaving one", Some(true)), ("with the one left", Some(false))];
    for (what, leaves) in &mut lines {
        let Times { best, median, busy } = timed(rounds, || {
            if *leaves == Some(true) {
                let _gone = std::fs::remove_file(&sparse);
            }
            let start = Instant::now();
            let mut index = IndexReader::open(&path)?;
            if leaves.is_some() {
                index = index.with_sparse_header(sparse.clone());
            }
            lookup(&index)?;
            Ok(start.elapsed())
        })?;
        say(&format!(
            "opening and first lookup ({}), {what}: best {best:.3} ms, median {median:.3} ms, busy {busy:.3} ms",
            shape.name()
        ))?;
    }
    say(&format!("index {} KiB, sparse header {} KiB", std::fs::metadata(&path)?.len() >> 10, kib(dir)?))
}
