//! Selectors: series are decoded and rolled up in parallel, in runs of fixed size, and handed on in
//! their order, so that results do not depend on the number of threads.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use block::Columns;
use futures::stream;
use futures::{StreamExt, TryStreamExt};
use model::{LabelsRef, METRIC_NAME, Series};
use promql::Span;
use request::{Context, MemoryLease};

use super::ahead::Started;
use super::group::KeyMaker;
use super::maps::Bound;
use super::watch::{JobWatch, ScanWatch};
use super::{Run, check_held};
use crate::engine::Settings;
use crate::notes::Notes;
use crate::plan::{INFO, Id, Rewrite, Scan};
use crate::rollup::native::{self, About};
use crate::rollup::{self, Edges, Params, Rollup, Scratch, Shape};
use crate::vector::{ABSENT, Head, Histograms, drop_metadata, is_absent, samples_in, weight};
use crate::{Decoded, Encoded, Error, Samples, Select};

/// So few series are decoded at once, where no other thread is needed for that.
const FEW_SERIES: usize = 2;

/// What the reader of a scan needs of each series beside its row.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    pub(super) heads: bool,
    /// One key for each of these.
    pub(super) keys: Vec<KeyMaker>,
}

/// The rows of a run of series; series without any value are left out.
#[derive(Debug, Default)]
pub(super) struct Morsel {
    /// `[series × steps]`: the first `count` rows; what is behind them means nothing.
    room: Vec<f64>,
    steps: usize,
    /// One for each row, if wanted.
    pub(super) heads: Vec<Head>,
    /// The keys one after the other, if wanted; `key_ends[i]` is where the
    /// `i`th ends; a row has as many as were wanted.
    pub(super) keys: Vec<u8>,
    pub(super) key_ends: Vec<u32>,
    pub(super) count: usize,
    /// Rows that have native histograms too, ascending.
    pub(super) natives: Vec<NativeRow>,
    notes: Notes,
    /// For rows and histograms.
    lease: Option<MemoryLease>,
}

/// The native histograms of a row.
#[derive(Debug)]
pub(super) struct NativeRow {
    /// Which row.
    pub(super) row: usize,
    /// The series' name, if it still has one.
    pub(super) metric: String,
    pub(super) histograms: Histograms,
}

impl Morsel {
    /// Empties it and keeps its memory.
    fn clear(&mut self) {
        let Self { room, steps: _, heads, keys, key_ends, count, natives, notes, lease } = self;
        heads.clear();
        keys.clear();
        key_ends.clear();
        natives.clear();
        (*count, *notes) = (0, Notes::default());
        // What was for histograms.
        if let Some(lease) = lease {
            drop(lease.split(lease.bytes().saturating_sub(room.capacity() as u64 * 8)));
        }
    }

    /// `[series × steps]`.
    pub(super) fn values(&self) -> &[f64] {
        &self.room[..self.count * self.steps]
    }

    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values().chunks_exact(self.steps.max(1))
    }

    /// The row behind the last one that counts.
    fn next_row(&mut self) -> &mut [f64] {
        &mut self.room[self.count * self.steps..][..self.steps]
    }

    pub(super) fn key(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.key_ends[i - 1] as usize };
        &self.keys[start..self.key_ends[i] as usize]
    }
}

/// Takes the rows of a scan in series order.
pub(super) trait Sink: Send {
    fn absorb(&mut self, morsel: &mut Morsel) -> Result<(), Error>;
}

/// A scan with everything evaluated that it needs; shared by the jobs.
pub(super) struct Work {
    cx: Context,
    shape: Shape,
    rollup: Rollup,
    first: Arc<[f64]>,
    second: Arc<[f64]>,
    maps: Vec<Bound>,
    wants: Wants,
    drops_name: bool,
    delayed: bool,
    /// Whether names are looked at, for they might not be counters'.
    check_counter: bool,
    /// Histograms are an error.
    floats_only: bool,
    statistics: bool,
    starts: bool,
    /// Counters are known by `__type__`.
    types: bool,
    span: Span,
    buffers: Mutex<Vec<Buffers>>,
    /// Emptied morsels, for their memory.
    morsels: Mutex<Vec<Morsel>>,
}

#[derive(Debug, Default)]
struct Buffers {
    decoded: Decoded,
    /// For series that are changed before they are rolled up.
    columns: Columns,
    scratch: Scratch,
    /// For the columns.
    lease: Option<MemoryLease>,
}

impl Run<'_> {
    /// Runs a scan into `sink`.
    pub(super) async fn scan(&mut self, scan: Scan, wants: Wants, sink: &mut dyn Sink) -> Result<(), Error> {
        let id = self.slots.len();
        let mut started = match self.started.remove(&id) {
            Some(started) => started,
            None => self.start(id, scan, wants)?,
        };
        self.start_ahead(id)?;
        let cx = started.cx.clone();
        let mut watch = ScanWatch::begin(&cx);
        while let Some(morsel) = self.next_rows(&mut started).await {
            let mut morsel = morsel?;
            if !morsel.notes.is_empty() {
                self.notes.merge(std::mem::take(&mut morsel.notes));
            }
            watch.pause();
            sink.absorb(&mut morsel)?;
            started.work.give_back(morsel);
            watch.go_on();
        }
        watch.end();
        Ok(())
    }

    /// Begins to read the selector of node `id`.
    pub(super) fn start(&mut self, id: Id, mut scan: Scan, wants: Wants) -> Result<Started, Error> {
        let shape = scan.shape;
        let drops_name = scan.drops_name();
        let params = std::mem::take(&mut scan.params);
        let params = params.into_iter().map(|id| self.scalar(id)).collect::<Result<Vec<_>, _>>()?;
        let maps = std::mem::take(&mut scan.maps);
        let maps = maps.into_iter().map(|map| self.bind(map, &shape.grid)).collect::<Result<Vec<_>, _>>()?;
        let cx = self.scan_context(id);
        let work = Arc::new(Work {
            cx: cx.clone(),
            shape,
            rollup: scan.rollup,
            first: params.first().cloned().unwrap_or_default(),
            second: params.get(1).cloned().unwrap_or_default(),
            maps,
            wants,
            drops_name,
            delayed: self.settings.delayed_name_removal,
            check_counter: matches!(scan.rollup, Rollup::Rate | Rollup::Increase),
            floats_only: scan.func == INFO,
            statistics: scan.statistics,
            starts: self.settings.start_timestamps,
            types: self.settings.type_and_unit_labels,
            span: scan.span,
            buffers: Mutex::new(Vec::new()),
            morsels: Mutex::new(Vec::new()),
        });
        let spare = Arc::clone(&work);
        let size = morsel_size(&shape);
        let batches = self.source.select(&cx, selection(scan, self.settings));
        let morsels = batches.map_ok(move |batch: Box<dyn Encoded>| {
            let batch: Arc<dyn Encoded> = Arc::from(batch);
            let len = batch.len();
            stream::iter(
                (0..len)
                    .step_by(size)
                    .map(move |from| Ok::<_, Error>((Arc::clone(&batch), from..(from + size).min(len)))),
            )
        });
        let jobs = morsels.try_flatten().map(move |morsel| {
            let work = Arc::clone(&work);
            async move {
                let (batch, range) = morsel?;
                let cx = work.cx.clone();
                // Nobody can help with these.
                if batch.len() <= FEW_SERIES
                    && let Some(_at_once) = cx.at_once()
                {
                    return work.run(&*batch, range);
                }
                cx.run(move || work.run(&*batch, range)).await?
            }
        });
        // More in flight than threads, so that none waits for the one whose turn it is. Boxed, or the
        // compiler does not see that the whole may move between threads.
        let jobs = jobs.buffered(self.cx.pool().threads() * 2 + 1).boxed();
        Ok(Started::new(cx, jobs, spare))
    }

    pub(super) fn note_quantiles(&mut self, values: &[f64], span: Span) {
        note_quantiles(values, values, self.notes, span);
    }

    /// The samples themselves of one window, for a range selector as the whole query.
    pub(super) async fn samples(&mut self, scan: Scan) -> Result<(Vec<Series>, MemoryLease), Error> {
        let shape = scan.shape;
        let (end, start) = (shape.end(0), shape.end(0).saturating_sub(shape.window_ms));
        let cx = self.scan_context(self.slots.len());
        let mut batches = self.source.select(&cx, selection(scan, self.settings));
        let (mut all, mut held, mut lease) = (Vec::new(), 0, cx.memory().lease(0)?);
        while let Some(batch) = batches.try_next().await? {
            let cx = cx.clone();
            let series = self.cx.run(move || -> Result<(Vec<Series>, MemoryLease), Error> {
                let (mut columns, mut found) = (Columns::new(), Vec::new());
                let mut lease = cx.memory().lease(0)?;
                let (begun, mut samples) = (JobWatch::begin(&cx), 0);
                for i in 0..batch.len() {
                    cx.check()?;
                    batch.decode(i, &mut columns)?;
                    rollup::drop_stale(&mut columns);
                    rollup::drop_stale_histograms(&mut columns);
                    if shape.edges != Edges::Open {
                        let samples = shape.samples();
                        if columns.ht.iter().any(|t| (samples.min..=samples.max).contains(t)) {
                            let edges = if shape.edges == Edges::Anchored { "anchored" } else { "smoothed" };
                            let text = format!("{edges} modifier is not supported with histograms");
                            return Err(Error::Execution(text));
                        }
                        let (t, v) = rollup::extended_samples(&shape, &columns.t, &columns.v);
                        cx.stats().add_samples(t.len() as u64);
                        lease.grow(t.len() as u64 * 16)?;
                        if !t.is_empty() {
                            let labels = batch.labels(i).to_labels();
                            found.push(Series { labels, t: t.into(), v, h: Vec::new() });
                        }
                        continue;
                    }
                    let within = |t: &[i64]| t.partition_point(|&t| t <= start)..t.partition_point(|&t| t <= end);
                    let (floats, histograms) = (within(&columns.t), within(&columns.ht));
                    if floats.is_empty() && histograms.is_empty() {
                        continue;
                    }
                    samples += (floats.len() + histograms.len()) as u64;
                    let natives: usize = columns.h[histograms.clone()].iter().map(|h| 24 + h.bytes()).sum();
                    lease.grow((floats.len() * 16 + natives) as u64)?;
                    found.push(Series {
                        labels: batch.labels(i).to_labels(),
                        t: columns.t[floats.clone()].into(),
                        v: columns.v[floats].to_vec(),
                        h: histograms.map(|i| (columns.ht[i], Arc::new(columns.h[i].clone()))).collect(),
                    });
                }
                begun.end(batch.len(), samples);
                Ok((found, lease))
            });
            let (series, paid) = series.await??;
            for series in &series {
                held += series.v.len() + series.h.iter().map(|(_, h)| samples_in(h)).sum::<usize>();
            }
            check_held(self.held + held, self.settings)?;
            all.extend(series);
            drop(lease.join(paid));
        }
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok((all, lease))
    }
}

fn selection(scan: Scan, settings: &Settings) -> Select {
    let hint = settings.rewrites.has(Rewrite::Hint);
    let samples = scan.shape.samples();
    Select {
        matchers: scan.matchers,
        samples,
        grid: scan.shape.grid,
        window_ms: scan.range_ms,
        offset_ms: scan.shape.offset_ms,
        func: if hint { scan.func } else { String::new() },
        grouping: scan.grouping.filter(|_| hint),
        skip_chunks: false,
    }
}

/// How many series one job takes: enough samples to be worth a hand-over, few enough that jobs are of
/// use to all threads and their rows stay small. It depends on nothing but the plan.
fn morsel_size(shape: &Shape) -> usize {
    let samples = shape.samples();
    let day = 86_400_000;
    let by_time = (32 * day / samples.max.saturating_sub(samples.min).max(1)).clamp(32, 256);
    let by_steps = (1 << 16) / shape.grid.len().max(1);
    (by_time as usize).min(by_steps.max(1))
}

/// # Errors
/// When there is something to smooth by a factor that is none.
pub(super) fn check_factors(params: Params<'_>, shape: &Shape, columns: &Columns) -> Result<(), Error> {
    let wrong = |v: f64| v <= 0.0 || v >= 1.0;
    for (step, (&smoothing, &trend)) in params.first.iter().zip(params.second).enumerate() {
        let (name, letters, bad) = match (wrong(smoothing), wrong(trend)) {
            (true, _) => ("smoothing", "sf", smoothing),
            (_, true) => ("trend", "tf", trend),
            _ => continue,
        };
        let end = shape.end(step);
        let start = end.saturating_sub(shape.window_ms);
        if [&columns.t, &columns.ht].iter().any(|times| times.iter().any(|&t| t > start && t <= end)) {
            return Err(Error::Execution(format!("invalid {name} factor. Expected: 0 < {letters} < 1, got: {bad:.6}")));
        }
    }
    Ok(())
}

/// Notes quantiles that are none, where a row has a value.
pub(super) fn note_quantiles(quantiles: &[f64], row: &[f64], notes: &mut Notes, span: Span) {
    let mut noted = None;
    for (&q, &v) in quantiles.iter().zip(row) {
        if !(0.0..=1.0).contains(&q) && !is_absent(v) && noted != Some(q.to_bits()) {
            notes.invalid_quantile(q, span);
            noted = Some(q.to_bits());
        }
    }
}

impl Work {
    fn run(&self, batch: &dyn Encoded, range: Range<usize>) -> Result<Morsel, Error> {
        let watch = JobWatch::begin(&self.cx);
        let taken = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffers = taken.unwrap_or_default();
        let spare = self.morsels.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut morsel = spare.unwrap_or_default();
        morsel.steps = self.shape.grid.len();
        let wanted = range.len() * morsel.steps;
        if morsel.room.len() < wanted {
            morsel.room.reserve_exact(wanted - morsel.room.len());
            self.pay(&mut morsel.lease, morsel.room.capacity() * 8)?;
            morsel.room.resize(wanted, ABSENT);
        }
        let (mut samples, mut natives) = (0, 0);
        let mut from = range.start;
        while from < range.end {
            self.cx.check()?;
            let count = batch.decode_run(from..range.end, &mut buffers.decoded)?;
            let held = buffers.decoded.bytes() + buffers.columns.bytes();
            self.pay(&mut buffers.lease, held)?;
            for k in 0..count {
                let known = morsel.natives.len();
                samples += self.series(batch.labels(from + k), k, &mut buffers, &mut morsel)?;
                if let Some(new) = morsel.natives.get(known) {
                    natives += weight(&new.histograms);
                    self.pay(&mut morsel.lease, morsel.room.capacity() * 8 + natives as usize)?;
                }
            }
            from += count;
        }
        watch.end(range.len(), samples);
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        Ok(morsel)
    }

    /// Sees to it that `lease` covers `bytes`.
    fn pay(&self, lease: &mut Option<MemoryLease>, bytes: usize) -> Result<(), Error> {
        match lease {
            Some(lease) if lease.bytes() >= bytes as u64 => Ok(()),
            Some(lease) => Ok(lease.resize(bytes as u64)?),
            None => {
                *lease = Some(self.cx.memory().lease(bytes as u64)?);
                Ok(())
            }
        }
    }

    fn give_back(&self, mut morsel: Morsel) {
        morsel.clear();
        self.morsels.lock().unwrap_or_else(PoisonError::into_inner).push(morsel);
    }

    /// Appends the row of the `k`th series that was decoded, unless it has no value; gives the number of samples.
    fn series(
        &self,
        labels: LabelsRef<'_>,
        k: usize,
        buffers: &mut Buffers,
        morsel: &mut Morsel,
    ) -> Result<u64, Error> {
        let Buffers { decoded, columns, scratch, .. } = buffers;
        let samples = match decoded.series(k) {
            Samples::Floats(t, v) => {
                let row = morsel.next_row();
                let special = matches!(self.rollup, Rollup::DoubleExponential | Rollup::Quantile);
                if !special && rollup::roll(self.rollup, &self.shape, self.params(), t, v, scratch, row) {
                    self.finish(labels, None, morsel);
                    t.len() as u64
                } else {
                    columns.clear();
                    columns.t.extend_from_slice(t);
                    columns.v.extend_from_slice(v);
                    self.fill(labels, columns, scratch, morsel)?
                }
            }
            Samples::Columns(columns) => self.fill(labels, columns, scratch, morsel)?,
        };
        Ok(samples)
    }

    fn params(&self) -> Params<'_> {
        Params { first: &self.first, second: &self.second }
    }

    /// Evaluates a series into the next row, and counts it if it has a value.
    fn fill(
        &self,
        labels: LabelsRef<'_>,
        columns: &mut Columns,
        scratch: &mut Scratch,
        morsel: &mut Morsel,
    ) -> Result<u64, Error> {
        let Morsel { room, steps, count, notes, .. } = morsel;
        let row = &mut room[*count * *steps..][..*steps];
        if !self.starts {
            columns.clear_starts();
        }
        let sees_stale = self.rollup.sees_stale();
        if !sees_stale {
            rollup::drop_stale(columns);
        }
        let params = self.params();
        if self.rollup == Rollup::DoubleExponential {
            check_factors(params, &self.shape, columns)?;
        }
        let overlapping = rollup::roll_with_starts(self.rollup, &self.shape, columns, row);
        if overlapping.is_none() {
            let _no_marker_left = rollup::roll(self.rollup, &self.shape, params, &columns.t, &columns.v, scratch, row);
        }
        if self.rollup == Rollup::Quantile {
            note_quantiles(&self.first, row, notes, self.span);
        }
        let samples = columns.len() as u64;
        let mut histograms = None;
        if !columns.ht.is_empty() {
            if self.statistics {
                native::keep_statistics(columns, &self.shape);
            }
            if !sees_stale {
                rollup::drop_stale_histograms(columns);
            }
            let metric = labels.get(METRIC_NAME).unwrap_or("");
            let mut about = About { notes, metric, span: self.span };
            if self.floats_only {
                let any = native::roll(Rollup::Instant, &self.shape, columns, &mut row.to_vec(), &mut about);
                if any.is_some() {
                    return Err(Error::Execution("info sample should be float".to_owned()));
                }
            }
            histograms = native::roll(self.rollup, &self.shape, columns, row, &mut about);
        }
        if let Some(times @ 1..) = overlapping {
            notes.start_time_overlap(labels.get(METRIC_NAME).unwrap_or(""), times, self.span);
        }
        self.finish(labels, histograms, morsel);
        Ok(samples)
    }

    /// Counts the next row if it has a value, and adds what is wanted beside it.
    fn finish(&self, labels: LabelsRef<'_>, mut histograms: Option<Histograms>, morsel: &mut Morsel) {
        let Morsel { room, steps, count, notes, .. } = morsel;
        let row = &mut room[*count * *steps..][..*steps];
        if native::is_empty(row, histograms.as_ref()) {
            return;
        }
        if self.check_counter && row.iter().any(|&v| !is_absent(v)) {
            notes.check_counter(|name| labels.get(name), self.types, self.span);
        }
        for map in &self.maps {
            map.apply(row, notes);
            histograms = histograms.and_then(|h| map.apply_histograms(row, h, notes));
        }
        if !self.maps.is_empty() && native::is_empty(row, histograms.as_ref()) {
            return;
        }
        if let Some(histograms) = histograms {
            let stripped = self.drops_name && !self.delayed;
            let metric = if stripped { "" } else { labels.get(METRIC_NAME).unwrap_or("") }.to_owned();
            morsel.natives.push(NativeRow { row: morsel.count, metric, histograms });
        }
        morsel.count += 1;
        for keys in &self.wants.keys {
            keys.push(labels.iter(), &mut morsel.keys);
            morsel.key_ends.push(morsel.keys.len() as u32);
        }
        if self.wants.heads {
            let labels = labels.to_labels();
            morsel.heads.push(match (self.drops_name, self.delayed) {
                (true, false) => Head::new(drop_metadata(&labels)),
                (drop_name, _) => Head { drop_name, ..Head::new(labels) },
            });
        }
    }
}
