//! Which nodes a node reads.

use super::{Aggregate, Buckets, Id, Map, Op, Scan, Source};

impl Op {
    /// What it reads, in the order of the query; nodes that a fused selector reads are the selector's.
    pub(crate) fn inputs(&self) -> Vec<Id> {
        match self {
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
