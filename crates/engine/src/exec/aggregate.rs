//! Aggregations that keep a few numbers for each group and step, and those that need every value.

mod cells;
mod whole;

use promql::Span;
use promql::ast::AggregateOp;
use request::{MemoryAccount, MemoryLease};

use super::Run;
use super::group::{KeyMaker, KeyTable};
use super::scan::{Morsel, Sink, Wants};
use crate::plan::{Aggregate, Grouping, Scan, Source};
use crate::vector::{Head, Vector, same_labels};
use crate::{Error, Grid};

pub(super) use cells::Cells;

/// Groups with their cells, fed row by row.
struct Groups<'a> {
    table: KeyTable,
    cells: Cells,
    steps: usize,
    /// Whether a name in the group is still to be dropped.
    drop_name: Vec<bool>,
    memory: &'a MemoryAccount,
    lease: MemoryLease,
    /// The labels seen, where two series might turn out to be the same.
    seen: Option<hashbrown::HashSet<model::Labels>>,
}

impl<'a> Groups<'a> {
    fn new(cells: Cells, steps: usize, memory: &'a MemoryAccount) -> Result<Self, Error> {
        let lease = memory.lease(0)?;
        Ok(Self { table: KeyTable::default(), cells, steps, drop_name: Vec::new(), memory, lease, seen: None })
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

    fn finish(self) -> Result<Vector, Error> {
        let mut vector = Vector::new(self.steps, self.memory)?;
        vector.reserve(self.table.len())?;
        for (group, &drop_name) in self.drop_name.iter().enumerate() {
            let head = Head { labels: self.table.labels(group), drop_name };
            let row = vector.push_absent(head)?;
            self.cells.finish(group * self.steps, row);
        }
        Ok(vector)
    }
}

impl Sink for Groups<'_> {
    fn absorb(&mut self, mut morsel: Morsel) -> Result<(), Error> {
        if let Some(seen) = &mut self.seen {
            for head in morsel.heads.drain(..) {
                self.lease.grow(64)?;
                if !seen.insert(head.labels) {
                    return Err(same_labels());
                }
            }
        }
        for (i, row) in morsel.rows.chunks_exact(self.steps).enumerate() {
            self.add(morsel.key(i), row, false)?;
        }
        Ok(())
    }
}

impl Run<'_> {
    pub(super) async fn aggregate(&mut self, aggregate: Aggregate, grid: &Grid, span: Span) -> Result<Vector, Error> {
        let Aggregate { op, source, grouping, param, label, param_span } = aggregate;
        let steps = grid.len();
        let param = param.map(|id| self.scalar(id)).transpose()?;
        let param = param.as_deref().unwrap_or_default();
        match op {
            AggregateOp::TopK | AggregateOp::BottomK | AggregateOp::LimitK | AggregateOp::LimitRatio => {
                self.top(op, source, grouping, param, steps, param_span).await
            }
            AggregateOp::Quantile => {
                if let Some(&q) = param.iter().find(|q| q.is_nan()) {
                    self.notes.invalid_quantile(q, param_span);
                }
                let max = param.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let min = param.iter().copied().fold(f64::INFINITY, f64::min);
                for q in [max, min] {
                    if !(0.0..=1.0).contains(&q) && q.is_finite() {
                        self.notes.invalid_quantile(q, param_span);
                    }
                }
                let input = self.whole(source).await?;
                whole::quantile(&input, grouping, param, self.cx.memory())
            }
            AggregateOp::CountValues => {
                let input = self.whole(source).await?;
                whole::count_values(&input, grouping, &label, self.cx.memory())
            }
            _ => {
                let mut groups = Groups::new(Cells::new(op), steps, self.cx.memory())?;
                let _ = span;
                match source {
                    Source::Scan(scan) => self.scan_groups(*scan, grouping, &mut groups).await?,
                    Source::Node(id) => {
                        let (input, keys) = (self.vector(id)?, KeyMaker::new(grouping, false));
                        let mut key = Vec::new();
                        for (head, row) in input.rows() {
                            key.clear();
                            keys.push(head.labels.iter(), &mut key);
                            groups.add(&key, row, head.drop_name)?;
                        }
                    }
                }
                let mut vector = groups.finish()?;
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
        let keys = KeyMaker::new(grouping, dropped && !delayed);
        self.scan(scan, Wants { heads: may_meet, keys: Some(keys) }, groups).await?;
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
