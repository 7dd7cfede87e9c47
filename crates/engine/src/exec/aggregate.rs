//! Aggregations that keep a few numbers for each group and step, and those that need every value.

mod cells;
mod several;
mod whole;

use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use model::METRIC_NAME;
use promql::Span;
use promql::ast::AggregateOp;
use request::{MemoryAccount, MemoryLease};

use super::Run;
use super::ahead::grouped;
use super::group::{KeyMaker, KeyTable};
use super::scan::{Morsel, Sink};
use crate::notes::Notes;
use crate::plan::{Aggregate, Grouping, Scan, Source};
use crate::rollup::native::Total;
use crate::vector::{ABSENT, Head, Histograms, Vector, is_absent, same_labels};
use crate::{Error, Grid};

pub(super) use cells::Cells;

/// What the histograms of one group and step came to.
#[derive(Debug)]
enum NativeCell {
    Total(Box<Total>),
    /// Exponential and custom buckets: nothing. What comes behind does not matter any more, floats neither.
    Incompatible,
    /// A float came first: the mix is nothing, whatever the histograms are.
    BesideFloats,
}

/// Groups with their cells, fed row by row.
struct Groups<'a> {
    table: KeyTable,
    cells: Cells,
    steps: usize,
    /// Whether a name in the group is still to be dropped.
    drop_name: Vec<bool>,
    /// Cells that histograms went into.
    natives: HashMap<usize, NativeCell>,
    notes: Notes,
    /// The operand, for notes.
    span: Span,
    memory: &'a MemoryAccount,
    lease: MemoryLease,
    /// The labels seen, where two series might turn out to be the same.
    seen: Option<hashbrown::HashSet<model::Labels>>,
}

impl<'a> Groups<'a> {
    fn new(cells: Cells, steps: usize, span: Span, memory: &'a MemoryAccount) -> Result<Self, Error> {
        Ok(Self {
            table: KeyTable::default(),
            cells,
            steps,
            drop_name: Vec::new(),
            natives: HashMap::new(),
            notes: Notes::default(),
            span,
            memory,
            lease: memory.lease(0)?,
            seen: None,
        })
    }

    /// Adds a series that has native histograms at some steps.
    fn add_native(
        &mut self,
        key: &[u8],
        row: &[f64],
        drop_name: bool,
        metric: &str,
        histograms: &Histograms,
    ) -> Result<(), Error> {
        match self.cells.op() {
            // To be there is enough.
            AggregateOp::Count | AggregateOp::Group => {
                let there = row.iter().zip(histograms).map(|(&v, h)| if h.is_some() { 1.0 } else { v });
                return self.add(key, &there.collect::<Vec<_>>(), drop_name);
            }
            AggregateOp::Sum | AggregateOp::Avg => {}
            op => {
                self.notes.histogram_ignored_in_aggregation(op.as_str(), self.span);
                return if row.iter().all(|&v| is_absent(v)) { Ok(()) } else { self.add(key, row, drop_name) };
            }
        }
        self.add(key, row, drop_name)?;
        let from = self.table.number(key) * self.steps;
        let mean = self.cells.op() == AggregateOp::Avg;
        for (step, h) in histograms.iter().enumerate() {
            let Some(h) = h else { continue };
            match self.natives.entry(from + step) {
                Entry::Vacant(entry) if self.cells.has(from + step) => {
                    entry.insert(NativeCell::BesideFloats);
                }
                Entry::Vacant(entry) => {
                    self.lease.grow(h.positive_buckets.len() as u64 * 24 + 256)?;
                    entry.insert(NativeCell::Total(Box::new(Total::new(h))));
                }
                Entry::Occupied(mut entry) => {
                    let NativeCell::Total(total) = entry.get_mut() else { continue };
                    let added = if mean { total.add_to_mean(h) } else { total.add(h) };
                    if added.is_err() {
                        self.notes.mixed_exponential_custom(metric, self.span);
                        let mixed = self.cells.has(from + step);
                        entry.insert(if mixed { NativeCell::BesideFloats } else { NativeCell::Incompatible });
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, key: &[u8], row: &[f64], drop_name: bool) -> Result<(), Error> {
        let group = self.table.number(key);
        if group == self.drop_name.len() {
            self.lease.grow((self.steps * self.cells.bytes_per_cell() + key.len() + 64) as u64)?;
            self.cells.grow(self.steps);
            self.drop_name.push(false);
        }
        self.drop_name[group] |= drop_name;
        self.cells.add(group * self.steps, row);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vector, Error> {
        let mut vector = Vector::new(self.steps, self.memory)?;
        vector.reserve(self.table.len())?;
        for (group, &drop_name) in self.drop_name.iter().enumerate() {
            let head = Head { drop_name, ..Head::new(self.table.labels(group)) };
            let row = vector.push_absent(head)?;
            self.cells.finish(group * self.steps, row);
        }
        let mean = self.cells.op() == AggregateOp::Avg;
        let mut natives: Vec<(usize, NativeCell)> = self.natives.drain().collect();
        natives.sort_unstable_by_key(|(cell, _)| *cell);
        for (cell, native) in natives {
            let (group, step) = (cell / self.steps, cell % self.steps);
            if matches!(native, NativeCell::Incompatible) {
                vector.row_mut(group)[step] = ABSENT;
            } else if !is_absent(vector.row(group)[step]) {
                self.notes.mixed_in_aggregation(self.span);
                vector.row_mut(group)[step] = ABSENT;
            } else if let NativeCell::Total(total) = native {
                total.report(&mut self.notes, self.span);
                vector.series[group].set_histogram(step, self.steps, Arc::new(total.finish(mean)));
            }
        }
        Ok(vector)
    }
}

impl Groups<'_> {
    /// Takes the rows of a morsel, whose rows have `keys` keys each, by the one at `key`.
    fn take(&mut self, morsel: &Morsel, key: usize, keys: usize) -> Result<(), Error> {
        if let Some(seen) = &mut self.seen {
            for head in &morsel.heads {
                self.lease.grow(64)?;
                if !seen.insert(head.labels.clone()) {
                    return Err(same_labels());
                }
            }
        }
        let mut natives = morsel.natives.iter().peekable();
        for (i, row) in morsel.rows().enumerate() {
            let key = morsel.key(i * keys + key);
            match natives.next_if(|native| native.row == i) {
                None => self.add(key, row, false)?,
                Some(native) => self.add_native(key, row, false, &native.metric, &native.histograms)?,
            }
        }
        Ok(())
    }
}

impl Sink for Groups<'_> {
    fn absorb(&mut self, morsel: &mut Morsel) -> Result<(), Error> {
        self.take(morsel, 0, 1)
    }
}

impl Run<'_> {
    pub(super) async fn aggregate(&mut self, aggregate: Aggregate, grid: &Grid, span: Span) -> Result<Vector, Error> {
        let Aggregate { op, source, grouping, param, label, param_span, input_span } = aggregate;
        let steps = grid.len();
        let param = param.map(|id| self.scalar(id)).transpose()?;
        let param = param.as_deref().unwrap_or_default();
        match op {
            AggregateOp::TopK | AggregateOp::BottomK | AggregateOp::LimitK | AggregateOp::LimitRatio => {
                self.top(op, source, grouping, param, steps, [param_span, span]).await
            }
            AggregateOp::Quantile => {
                if let Some(&q) = param.iter().find(|q| q.is_nan()) {
                    self.notes.invalid_quantile(q, param_span);
                }
                let max = param.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let min = param.iter().copied().fold(f64::INFINITY, f64::min);
                // A NaN among them is the largest and the smallest, as Go has it.
                let out = [(max > 1.0).then_some(max), (min < 0.0).then_some(min)];
                for q in out.into_iter().flatten().filter(|_| !param.iter().any(|q| q.is_nan())) {
                    self.notes.invalid_quantile(q, param_span);
                }
                let input = self.whole(source).await?;
                if input.series.iter().any(|head| head.histograms.is_some()) {
                    self.notes.histogram_ignored_in_aggregation(op.as_str(), input_span);
                }
                whole::quantile(&input, grouping, param, self.cx.memory())
            }
            AggregateOp::CountValues => {
                let input = self.whole(source).await?;
                whole::count_values(&input, grouping, &label, self.cx.memory())
            }
            _ => {
                let mut groups = Groups::new(Cells::new(op), steps, input_span, self.cx.memory())?;
                match source {
                    Source::Scan(scan) => self.scan_groups(*scan, grouping, &mut groups).await?,
                    Source::Node(id) => {
                        let (input, keys) = (self.vector(id)?, KeyMaker::new(grouping, false));
                        let mut key = Vec::new();
                        for (head, row) in input.rows() {
                            key.clear();
                            keys.push(head.labels.iter(), &mut key);
                            match &head.histograms {
                                None => groups.add(&key, row, head.drop_name)?,
                                Some(histograms) => {
                                    let metric = head.labels.get(METRIC_NAME).unwrap_or("");
                                    groups.add_native(&key, row, head.drop_name, metric, histograms)?;
                                }
                            }
                        }
                    }
                }
                let mut vector = groups.finish()?;
                self.notes.merge(groups.notes);
                vector.drop_empty();
                Ok(vector)
            }
        }
    }

    /// Straight from the selector into the groups.
    async fn scan_groups(&mut self, scan: Scan, grouping: Grouping, groups: &mut Groups<'_>) -> Result<(), Error> {
        let delayed = self.settings.delayed_name_removal;
        let dropped = scan.drops_name();
        let may_meet = !delayed && dropped && scan.name.is_none();
        if may_meet {
            groups.seen = Some(hashbrown::HashSet::new());
        }
        let wants = grouped(&scan, [&grouping], self.settings);
        self.scan(scan, wants, groups).await?;
        if delayed && dropped {
            groups.drop_name.fill(true);
        }
        Ok(())
    }

    /// All series of the source side by side.
    pub(super) async fn whole(&mut self, source: Source) -> Result<Vector, Error> {
        match source {
            Source::Scan(scan) => self.scan_all(*scan).await,
            Source::Node(id) => self.vector(id),
        }
    }
}
