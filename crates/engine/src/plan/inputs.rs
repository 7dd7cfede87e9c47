//! Which nodes a node reads.

use super::{Aggregate, Buckets, Id, Map, Op, Plan, Scan, Source};

impl Op {
    /// What it reads, in the order of the query; nodes that a fused selector reads are the selector's.
    pub(crate) fn inputs(&self) -> Vec<Id> {
        match self {
            Self::Part(whole, _) => vec![*whole],
            Self::Aggregates(_) => Vec::new(),
            Self::Fused | Self::Number(_) | Self::Text(_) | Self::Time | Self::Nothing => Vec::new(),
            Self::Scan(scan) | Self::Samples(scan) => scan.inputs(),
            Self::Steps(input)
            | Self::Repeat(input)
            | Self::ToScalar(input)
            | Self::ToVector(input)
            | Self::Absent(input, _) => vec![*input],
            Self::Subquery(rollup) => [&[rollup.input], &*rollup.params].concat(),
            Self::Map(input, map) => std::iter::once(*input).chain(map.inputs()).collect(),
            Self::Aggregate(aggregate) => {
                let Aggregate { source, param, .. } = &**aggregate;
                let own = match source {
                    Source::Scan(_) => None,
                    Source::Node(id) => Some(*id),
                };
                param.iter().copied().chain(own).collect()
            }
            Self::Scalars(_, lhs, rhs) => vec![*lhs, *rhs],
            Self::Join(join) => vec![join.lhs, join.rhs],
            Self::Buckets(buckets) => {
                let Buckets { input, params, .. } = &**buckets;
                [&**params, &[*input]].concat()
            }
            Self::LabelReplace(replace) => vec![replace.input],
            Self::LabelJoin(join) => vec![join.input],
            Self::Info(info) => vec![info.input],
            Self::Sort(sort) => vec![sort.input],
        }
    }
}

impl Scan {
    /// The scalars that its functions take.
    pub(crate) fn inputs(&self) -> Vec<Id> {
        self.params.iter().copied().chain(self.maps.iter().flat_map(Map::inputs)).collect()
    }
}

impl Map {
    fn inputs(&self) -> impl Iterator<Item = Id> + use<> {
        let (first, second) = match self {
            Self::Math(_) | Self::Date(_) | Self::Negate => (None, None),
            Self::Arithmetic { scalar, .. } => (Some(*scalar), None),
            Self::Clamp { min, max } => (*min, *max),
            Self::Round { to } => (*to, None),
        };
        first.into_iter().chain(second)
    }
}

/// What is done to the place of an input.
type Visit<'a> = &'a mut dyn FnMut(&mut Id);

impl Op {
    /// Visits all inputs, those of a fused selector too.
    pub(super) fn each_input(&mut self, visit: Visit<'_>) {
        match self {
            Self::Fused | Self::Number(_) | Self::Text(_) | Self::Time | Self::Nothing => {}
            Self::Scan(scan) | Self::Samples(scan) => scan.each_input(visit),
            Self::Steps(input)
            | Self::Repeat(input)
            | Self::ToScalar(input)
            | Self::ToVector(input)
            | Self::Part(input, _)
            | Self::Absent(input, _) => visit(input),
            Self::Subquery(rollup) => {
                visit(&mut rollup.input);
                rollup.params.iter_mut().for_each(visit);
            }
            Self::Map(input, map) => {
                visit(input);
                map.each_input(visit);
            }
            Self::Aggregate(aggregate) => {
                aggregate.param.iter_mut().for_each(&mut *visit);
                match &mut aggregate.source {
                    Source::Scan(scan) => scan.each_input(visit),
                    Source::Node(id) => visit(id),
                }
            }
            Self::Aggregates(aggregates) => aggregates.scan.each_input(visit),
            Self::Scalars(_, lhs, rhs) => [lhs, rhs].into_iter().for_each(visit),
            Self::Join(join) => [&mut join.lhs, &mut join.rhs].into_iter().for_each(visit),
            Self::Buckets(buckets) => {
                visit(&mut buckets.input);
                buckets.params.iter_mut().for_each(visit);
            }
            Self::LabelReplace(replace) => visit(&mut replace.input),
            Self::LabelJoin(join) => visit(&mut join.input),
            Self::Info(info) => {
                visit(&mut info.input);
                info.scan.each_input(visit);
            }
            Self::Sort(sort) => visit(&mut sort.input),
        }
    }
}

impl Scan {
    pub(super) fn each_input(&mut self, visit: Visit<'_>) {
        self.params.iter_mut().for_each(&mut *visit);
        self.maps.iter_mut().for_each(|map| map.each_input(&mut *visit));
    }
}

impl Map {
    fn each_input(&mut self, visit: Visit<'_>) {
        match self {
            Self::Math(_) | Self::Date(_) | Self::Negate => {}
            Self::Arithmetic { scalar, .. } => visit(scalar),
            Self::Clamp { min, max } => min.iter_mut().chain(max).for_each(visit),
            Self::Round { to } => to.iter_mut().for_each(visit),
        }
    }
}

impl Plan {
    /// How many nodes read each one; the answer reads the root.
    pub(crate) fn readers(&mut self) -> Vec<u32> {
        let mut readers = vec![0_u32; self.nodes.len()];
        for node in &mut self.nodes {
            node.op.each_input(&mut |input| readers[*input] += 1);
        }
        if let Some(root) = readers.get_mut(self.root) {
            *root += 1;
        }
        readers
    }
}
