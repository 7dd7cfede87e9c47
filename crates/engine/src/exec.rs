//! Running a plan: one node after the other, each reading what those before it gave.

mod aggregate;
mod ahead;
mod buckets;
mod collect;
mod group;
mod histograms;
mod info;
mod join;
mod labels;
mod maps;
mod output;
mod scalars;
mod scan;
mod sort;
mod subquery;
mod topk;
mod watch;

pub(crate) use ahead::begins_ahead;
pub(crate) use scalars::combine as combine_scalars;

use std::sync::Arc;

use hashbrown::HashMap;
use model::{Labels, Series};
use request::{Context, MemoryAccount, MemoryLease};

use self::ahead::Started;
use crate::engine::{Kind, Settings, TOO_MANY_SAMPLES};
use crate::notes::Notes;
use crate::plan::{Id, Node, Op, Plan};
use crate::vector::{ABSENT, Head, Vector, is_absent, samples_in};
use crate::{Error, Explanation, Grid, Queryable};

/// What a node evaluates to.
#[derive(Debug)]
enum Data {
    /// One value a step, never absent.
    Scalar(Arc<[f64]>),
    Text(Box<[u8]>),
    Vector(Vector),
    /// A subquery as the whole query: a vector on its own steps.
    Steps(Vector, Grid),
    /// Samples, in the order to be shown.
    Matrix(Vec<Series>, MemoryLease),
    /// What several aggregations gave, each taken once.
    Several(Vec<Option<Vector>>),
}

impl Data {
    /// How many values it counts for in the limit on those.
    fn held(&self) -> usize {
        match self {
            Self::Scalar(row) => row.len(),
            Self::Text(_) => 0,
            Self::Vector(vector) | Self::Steps(vector, _) => vector.held(),
            Self::Several(parts) => parts.iter().flatten().map(Vector::held).sum(),
            Self::Matrix(series, _) => {
                let histograms = |s: &Series| s.h.iter().map(|(_, h)| samples_in(h)).sum::<usize>();
                series.iter().map(|s| s.v.len() + histograms(s)).sum()
            }
        }
    }

    /// The same once more.
    fn duplicate(&self, memory: &MemoryAccount) -> Result<Self, Error> {
        Ok(match self {
            Self::Scalar(row) => Self::Scalar(Arc::clone(row)),
            Self::Text(text) => Self::Text(text.clone()),
            Self::Vector(vector) => Self::Vector(vector.duplicate(memory)?),
            Self::Steps(vector, grid) => Self::Steps(vector.duplicate(memory)?, *grid),
            Self::Matrix(..) | Self::Several(_) => return Err(wrong_kind("a value that several parts read")),
        })
    }
}

/// One query on its way.
pub(crate) struct Run<'a> {
    cx: &'a Context,
    settings: &'a Settings,
    source: &'a dyn Queryable,
    notes: &'a mut Notes,
    /// What each node gave, until its last reader took it.
    slots: Vec<Option<Data>>,
    /// The nodes whose turn is still to come.
    nodes: Vec<Option<Node>>,
    /// Selectors that were begun before their turn.
    started: HashMap<Id, Started>,
    /// How many are still to read each node.
    readers: Vec<u32>,
    /// How many values the slots hold.
    held: usize,
    /// Where what each node took is noted.
    explanation: Option<&'a Explanation>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        cx: &'a Context,
        settings: &'a Settings,
        source: &'a dyn Queryable,
        notes: &'a mut Notes,
    ) -> Self {
        Self {
            cx,
            settings,
            source,
            notes,
            slots: Vec::new(),
            nodes: Vec::new(),
            started: HashMap::new(),
            readers: Vec::new(),
            held: 0,
            explanation: None,
        }
    }

    /// Notes what each node takes in `explanation`, which is the plan's.
    pub(crate) fn explained(self, explanation: Option<&'a Explanation>) -> Self {
        Self { explanation, ..self }
    }

    /// Runs all nodes and gives the value of the last one.
    pub(crate) async fn value(mut self, mut plan: Plan, grid: Grid, kind: Kind) -> Result<model::Value, Error> {
        self.readers = plan.readers();
        let Plan { nodes, root, .. } = plan;
        self.nodes = nodes.into_iter().map(Some).collect();
        for id in 0..self.nodes.len() {
            let Some(node) = self.nodes[id].take() else { continue };
            self.cx.check()?;
            let watch = self.watch();
            let times = node.times;
            let before = (times > 1).then(|| std::mem::take(self.notes));
            let data = self.node(node).await;
            if let Some(before) = before {
                let own = std::mem::replace(self.notes, before);
                self.notes.merge_times(own, times);
            }
            let mut data = data?;
            if let Some(Data::Vector(vector)) = &mut data {
                vector.pay_natives()?;
            }
            self.held += data.as_ref().map_or(0, Data::held);
            self.slots.push(data);
            check_held(self.held, self.settings)?;
            self.note(watch);
        }
        let data = self.take(root)?;
        output::value(data, &grid, kind, self.settings, self.cx.memory())
    }

    async fn node(&mut self, node: Node) -> Result<Option<Data>, Error> {
        let Node { op, grid, span, .. } = node;
        let steps = grid.len();
        if steps == 0 {
            return self.nothing(&op, grid);
        }
        Ok(Some(match op {
            Op::Fused => return Ok(None),
            Op::Number(value) => Data::Scalar(vec![value; steps].into()),
            Op::Text(text) => Data::Text(text),
            Op::Time => Data::Scalar((0..steps).map(|i| grid.at(i) as f64 / 1000.0).collect()),
            Op::Scan(scan) => Data::Vector(self.scan_all(*scan).await?),
            Op::Samples(scan) => {
                let (series, lease) = self.samples(*scan).await?;
                Data::Matrix(series, lease)
            }
            Op::Steps(input) => Data::Steps(self.vector_of(input)?, grid),
            Op::Subquery(rollup) => Data::Vector(self.subquery(*rollup, span).await?),
            Op::Repeat(input) => self.repeat(input, steps)?,
            Op::Map(input, map) => {
                let bound = self.bind(map, &grid)?;
                let mut vector = self.vector(input)?;
                for i in 0..vector.len() {
                    let histograms = vector.series[i].histograms.take();
                    let row = vector.row_mut(i);
                    bound.apply(row, self.notes);
                    let histograms = histograms.and_then(|h| bound.apply_histograms(row, h, self.notes));
                    vector.series[i].histograms = histograms;
                }
                Data::Vector(self.named(vector, bound.drops_name())?)
            }
            Op::Aggregate(aggregate) => Data::Vector(self.aggregate(*aggregate, &grid, span).await?),
            Op::Aggregates(aggregates) => Data::Several(self.aggregates(*aggregates).await?),
            Op::Part(whole, part) => Data::Vector(self.part(whole, part)?),
            Op::Scalars(op, lhs, rhs) => {
                let (lhs, rhs) = (self.scalar(lhs)?, self.scalar(rhs)?);
                Data::Scalar(scalars::combine(op, &lhs, &rhs))
            }
            Op::Join(join) => {
                let (lhs, rhs) = (self.vector(join.lhs)?, self.vector(join.rhs)?);
                Data::Vector(self.join(&join, lhs, rhs, span)?)
            }
            Op::ToScalar(input) => Data::Scalar(scalars::from_vector(&self.vector(input)?)),
            Op::ToVector(input) => {
                let mut vector = Vector::new(steps, self.cx.memory())?;
                vector.push(Head::new(Labels::empty()), &self.scalar(input)?)?;
                Data::Vector(vector)
            }
            Op::Buckets(buckets) => Data::Vector(self.buckets(*buckets, &grid)?),
            Op::LabelReplace(replace) => Data::Vector(self.label_replace(*replace)?),
            Op::LabelJoin(join) => Data::Vector(self.label_join(*join)?),
            Op::Info(info) => Data::Vector(self.info(*info, &grid).await?),
            Op::Sort(sort) => Data::Vector(self.sort(*sort, span)?),
            Op::Absent(input, labels) => Data::Vector(self.absent(input, labels)?),
            Op::Nothing => Data::Vector(Vector::new(steps, self.cx.memory())?),
        }))
    }

    /// What a node gives for no steps at all: its windows lie between the steps of a subquery.
    fn nothing(&self, op: &Op, grid: Grid) -> Result<Option<Data>, Error> {
        Ok(match op {
            Op::Fused => None,
            Op::Text(text) => Some(Data::Text(text.clone())),
            Op::Steps(_) => Some(Data::Steps(Vector::new(0, self.cx.memory())?, grid)),
            Op::Samples(_) => Some(Data::Matrix(Vec::new(), self.cx.memory().lease(0)?)),
            Op::Number(_) | Op::Time | Op::Scalars(..) | Op::ToScalar(_) => Some(Data::Scalar(Arc::default())),
            _ => Some(Data::Vector(Vector::new(0, self.cx.memory())?)),
        })
    }

    fn take(&mut self, id: Id) -> Result<Data, Error> {
        let missing = || wrong_kind("a value");
        let slot = self.slots.get_mut(id).ok_or_else(missing)?;
        if let Some(readers @ 2..) = self.readers.get_mut(id) {
            *readers -= 1;
            return slot.as_ref().ok_or_else(missing)?.duplicate(self.cx.memory());
        }
        let data = slot.take().ok_or_else(missing)?;
        self.held = self.held.saturating_sub(data.held());
        Ok(data)
    }

    /// One of several vectors.
    fn part(&mut self, whole: Id, part: usize) -> Result<Vector, Error> {
        let Some(Some(Data::Several(parts))) = self.slots.get_mut(whole) else { return Err(wrong_kind("several")) };
        let vector = parts.get_mut(part).and_then(Option::take).ok_or_else(|| wrong_kind("one of several"))?;
        self.held = self.held.saturating_sub(vector.held());
        Ok(vector)
    }

    fn vector(&mut self, id: Id) -> Result<Vector, Error> {
        match self.take(id)? {
            Data::Vector(vector) => Ok(vector),
            _ => Err(wrong_kind("an instant vector")),
        }
    }

    /// As a vector, scalars as one series without labels: what a subquery over a scalar steps through.
    fn vector_of(&mut self, id: Id) -> Result<Vector, Error> {
        match self.take(id)? {
            Data::Vector(vector) => Ok(vector),
            Data::Scalar(row) => {
                let mut vector = Vector::new(row.len(), self.cx.memory())?;
                vector.push(Head::new(Labels::empty()), &row)?;
                Ok(vector)
            }
            _ => Err(wrong_kind("an instant vector or a scalar")),
        }
    }

    fn scalar(&mut self, id: Id) -> Result<Arc<[f64]>, Error> {
        match self.take(id)? {
            Data::Scalar(row) => Ok(row),
            _ => Err(wrong_kind("a scalar")),
        }
    }

    /// The vector after a function that `drops` names or keeps them.
    fn named(&self, mut vector: Vector, drops: bool) -> Result<Vector, Error> {
        vector.drop_empty();
        if !drops {
            return Ok(vector);
        }
        let delayed = self.settings.delayed_name_removal;
        vector.drop_names(delayed);
        if delayed { Ok(vector) } else { vector.merged(self.cx.memory()) }
    }

    fn repeat(&mut self, input: Id, steps: usize) -> Result<Data, Error> {
        Ok(match self.take(input)? {
            Data::Scalar(row) => Data::Scalar(vec![row.first().copied().unwrap_or(f64::NAN); steps].into()),
            Data::Vector(single) => {
                let mut vector = Vector::new(steps, self.cx.memory())?;
                vector.reserve(single.len())?;
                for (head, row) in single.rows() {
                    let value = row.first().copied().unwrap_or(ABSENT);
                    let histogram = head.histogram(0).map(|h| vec![Some(Arc::clone(h)); steps].into());
                    vector.push_absent(Head { histograms: histogram, ..head.bare() })?.fill(value);
                }
                Data::Vector(vector)
            }
            other => other,
        })
    }

    /// 1 at the steps where the only series below, or none, has nothing.
    fn absent(&mut self, input: Id, labels: Labels) -> Result<Vector, Error> {
        let present = self.vector(input)?;
        let row: Vec<f64> = (0..present.steps)
            .map(|step| {
                let any = (0..present.len()).any(|i| !is_absent(present.row(i)[step]));
                if any { ABSENT } else { 1.0 }
            })
            .collect();
        let mut absent = Vector::new(present.steps, self.cx.memory())?;
        absent.push(Head::new(labels), &row)?;
        absent.drop_empty();
        Ok(absent)
    }
}

/// # Errors
/// When `held` values are more than a query may hold.
fn check_held(held: usize, settings: &Settings) -> Result<(), Error> {
    if held as u64 > settings.max_samples {
        return Err(Error::Samples(TOO_MANY_SAMPLES.to_owned()));
    }
    Ok(())
}

fn wrong_kind(expected: &str) -> Error {
    Error::BadQuery(format!("an operand is not {expected}"))
}
