//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some of the input series, step by step.

mod heap;

use std::sync::Arc;

use hashbrown::HashMap;
use promql::Span;
use promql::ast::AggregateOp;
use request::{MemoryAccount, MemoryLease};

use super::group::{KeyMaker, KeyTable};
use super::scan::{Morsel, Sink, Wants};
use super::{Run, check_held};
use crate::Error;
use crate::engine::Settings;
use crate::notes::format_g;
use crate::plan::{Grouping, Source};
use crate::vector::{Head, Histograms, Vector, is_absent, weight};

use heap::{Entry, Heap, Order};

/// The best so far of every group and step.
struct Best<'a> {
    op: AggregateOp,
    /// How many, or which share, at each step.
    param: &'a [f64],
    table: KeyTable,
    /// `[groups × steps]`.
    heaps: Vec<Heap>,
    steps: usize,
    /// The series that some heap holds, and some that one has held.
    heads: HashMap<u32, Head>,
    /// With so many heads it is time to look for those that no heap holds any more.
    heads_max: usize,
    next: u32,
    settings: &'a Settings,
    /// How many values the heaps hold, and the query beside them.
    held: usize,
    /// For heaps and heads.
    lease: MemoryLease,
    /// Some series had native histograms, which have no order.
    ignored: bool,
}

/// What a series costs beside its values: labels, their reference, places in tables.
const HEAD_BYTES: u64 = 256;
const HEADS_MIN: usize = 1024;

fn bytes(head: &Head) -> u64 {
    HEAD_BYTES + head.histograms.as_ref().map_or(0, weight)
}

impl<'a> Best<'a> {
    fn new(op: AggregateOp, param: &'a [f64], steps: usize, run: &Run<'a>) -> Result<Self, Error> {
        Ok(Self {
            op,
            param,
            table: KeyTable::default(),
            heaps: Vec::new(),
            steps,
            heads: HashMap::new(),
            heads_max: HEADS_MIN,
            next: 0,
            settings: run.settings,
            held: run.held,
            lease: run.cx.memory().lease(0)?,
            ignored: false,
        })
    }

    fn order(&self) -> Order {
        if self.op == AggregateOp::BottomK { Order::Largest } else { Order::Smallest }
    }

    fn add(&mut self, key: &[u8], mut head: Head, row: &[f64]) -> Result<(), Error> {
        // Where order does not matter a histogram counts as any value.
        let mut there = Vec::new();
        let row = match &head.histograms {
            None => row,
            Some(histograms) if matches!(self.op, AggregateOp::LimitK | AggregateOp::LimitRatio) => {
                there.extend(row.iter().zip(histograms).map(|(&v, h)| if h.is_some() { 0.0 } else { v }));
                &there
            }
            Some(_) => {
                self.ignored = true;
                head.histograms = None;
                row
            }
        };
        let group = self.table.number(key);
        let from = group * self.steps;
        if self.heaps.len() < from + self.steps {
            self.lease.grow((self.steps * size_of::<Heap>() + key.len() + 64) as u64)?;
            self.heaps.resize_with(from + self.steps, Heap::default);
        }
        let (series, order, op) = (self.next, self.order(), self.op);
        self.next += 1;
        let offset = if op == AggregateOp::LimitRatio { heap::sample_offset(&head.labels) } else { 0.0 };
        let (mut entered, mut added) = (false, 0);
        for ((&v, heap), &param) in row.iter().zip(&mut self.heaps[from..]).zip(self.param) {
            if is_absent(v) {
                continue;
            }
            let entry = Entry { value: v, series };
            let before = heap.entries().len();
            entered |= match op {
                AggregateOp::LimitRatio => heap::in_ratio(param, offset) && heap.push(entry, order),
                _ if param < 1.0 => false,
                AggregateOp::LimitK => heap.push_up_to(param, entry, order),
                _ => heap.offer(param, entry, order),
            };
            added += heap.entries().len() - before;
        }
        self.held += added;
        check_held(self.held, self.settings)?;
        if entered {
            self.lease.grow((added * size_of::<Entry>()) as u64 + bytes(&head))?;
            self.heads.insert(series, head);
            self.forget_losers();
        }
        Ok(())
    }

    /// Series that were pushed out of all heaps need no labels any more; looked for now and then.
    fn forget_losers(&mut self) {
        if self.heads.len() >= self.heads_max {
            let kept: hashbrown::HashSet<u32> =
                self.heaps.iter().flat_map(|heap| heap.entries()).map(|entry| entry.series).collect();
            let gone = self.heads.extract_if(|series, _| !kept.contains(series));
            let freed = gone.map(|(_, head)| bytes(&head)).sum();
            drop(self.lease.split(freed));
            self.heads_max = HEADS_MIN.max(self.heads.len() * 2);
        }
    }

    fn finish(mut self, memory: &MemoryAccount) -> Result<Vector, Error> {
        let sorted = matches!(self.op, AggregateOp::TopK | AggregateOp::BottomK);
        let order = self.order();
        let mut vector = Vector::new(self.steps, memory)?;
        let mut places: HashMap<u32, (usize, Option<Histograms>)> = HashMap::new();
        for group in 0..self.table.len() {
            for step in 0..self.steps {
                let heap = &mut self.heaps[group * self.steps + step];
                // Only the order of an instant query is seen.
                if sorted && self.steps == 1 {
                    heap.sort(order);
                }
                for entry in heap.entries() {
                    if !places.contains_key(&entry.series) {
                        let Some(head) = self.heads.remove(&entry.series) else { continue };
                        vector.push_absent(head.bare())?;
                        places.insert(entry.series, (vector.len() - 1, head.histograms));
                    }
                    let Some((place, histograms)) = places.get(&entry.series) else { continue };
                    match histograms.as_ref().and_then(|h| h[step].as_ref()) {
                        Some(h) => vector.series[*place].set_histogram(step, self.steps, Arc::clone(h)),
                        None => vector.row_mut(*place)[step] = entry.value,
                    }
                }
            }
        }
        Ok(vector)
    }
}

impl Sink for Best<'_> {
    fn absorb(&mut self, morsel: &mut Morsel) -> Result<(), Error> {
        let mut heads = std::mem::take(&mut morsel.heads);
        for native in std::mem::take(&mut morsel.natives) {
            heads[native.row].histograms = Some(native.histograms);
        }
        for (i, (head, row)) in heads.into_iter().zip(morsel.rows()).enumerate() {
            self.add(morsel.key(i), head, row)?;
        }
        Ok(())
    }
}

impl Run<'_> {
    pub(super) async fn top(
        &mut self,
        op: AggregateOp,
        source: Source,
        grouping: Grouping,
        param: &[f64],
        steps: usize,
        [param_span, span]: [Span; 2],
    ) -> Result<Vector, Error> {
        let memory = self.cx.memory();
        let checked = self.check_param(op, param, param_span);
        match source {
            Source::Node(id) => {
                let (nothing, input) = (checked?, self.vector(id)?);
                self.top_of(op, input, grouping, param, nothing, span)
            }
            // What is wrong with the series is said first, and even where none of them is wanted.
            Source::Scan(scan) if !matches!(checked, Ok(false)) => {
                let _unused = self.scan_all(*scan).await?;
                checked?;
                Vector::new(steps, memory)
            }
            // Series that only differ by a name that is gone would go unnoticed on the way.
            Source::Scan(scan) if scan.drops_name() && scan.name.is_none() && !self.settings.delayed_name_removal => {
                let input = self.scan_all(*scan).await?;
                self.top_of(op, input, grouping, param, false, span)
            }
            Source::Scan(scan) => {
                let delayed = self.settings.delayed_name_removal;
                let keys = KeyMaker::new(grouping, scan.drops_name() && !delayed);
                let mut best = Best::new(op, param, steps, self)?;
                self.scan(*scan, Wants { heads: true, keys: vec![keys] }, &mut best).await?;
                if best.ignored {
                    self.notes.histogram_ignored_in_aggregation(op.as_str(), span);
                }
                best.finish(memory)
            }
        }
    }

    fn top_of(
        &mut self,
        op: AggregateOp,
        input: Vector,
        grouping: Grouping,
        param: &[f64],
        nothing: bool,
        span: Span,
    ) -> Result<Vector, Error> {
        let steps = input.steps;
        if nothing {
            return Vector::new(steps, self.cx.memory());
        }
        let keys = KeyMaker::new(grouping, false);
        let mut best = Best::new(op, param, steps, self)?;
        let mut key = Vec::new();
        for (head, row) in input.rows() {
            key.clear();
            keys.push(head.labels.iter(), &mut key);
            best.add(&key, head.clone(), row)?;
        }
        if best.ignored {
            self.notes.histogram_ignored_in_aggregation(op.as_str(), span);
        }
        best.finish(self.cx.memory())
    }

    /// Whether the parameter asks for nothing at any step.
    fn check_param(&mut self, op: AggregateOp, param: &[f64], span: Span) -> Result<bool, Error> {
        let max = param.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let min = param.iter().copied().fold(f64::INFINITY, f64::min);
        let any_nan = param.iter().any(|v| v.is_nan());
        if op == AggregateOp::LimitRatio {
            if max == 0.0 && min == 0.0 && !any_nan {
                return Ok(true);
            }
            if any_nan {
                return Err(Error::Execution("Ratio value is NaN".to_owned()));
            }
            if max > 1.0 {
                self.notes.invalid_ratio(max, 1.0, span);
            }
            if min < -1.0 {
                self.notes.invalid_ratio(min, -1.0, span);
            }
            return Ok(false);
        }
        if max < 1.0 && !any_nan {
            return Ok(true);
        }
        if any_nan {
            return Err(Error::Execution("Parameter value is NaN".to_owned()));
        }
        if min <= i64::MIN as f64 {
            return Err(Error::Execution(format!("Scalar value {} underflows int64", format_g(min))));
        }
        if max >= i64::MAX as f64 {
            return Err(Error::Execution(format!("Scalar value {} overflows int64", format_g(max))));
        }
        Ok(false)
    }
}
