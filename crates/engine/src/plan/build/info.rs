//! `info`: when its info series are read.

use hashbrown::HashMap;
use promql::Span;
use promql::ast::{Call, Kind, NodeId, TimeModifiers};

use super::super::{INFO, Info, Op, Scan};
use super::{Builder, context};
use crate::rollup::{Edges, Rollup, Shape};
use crate::{Error, Grid};

impl Builder<'_> {
    pub(super) fn info(&mut self, call: &Call, grid: Grid, span: Span) -> Result<Info, Error> {
        let wrong = || Error::BadQuery("wrong arguments in call to info".to_owned());
        let first = *call.args.first().ok_or_else(wrong)?;
        let mut labels = Vec::new();
        if let Some(&second) = call.args.get(1) {
            let Kind::Vector(selector) = self.ast.kind(second) else { return Err(wrong()) };
            labels.clone_from(&selector.matchers);
            // It is no vector to be read.
            let node = self.node(second)?;
            if let Op::Repeat(single) = self.nodes[node].op {
                self.nodes[single].op = Op::Fused;
            }
            self.nodes[node].op = Op::Fused;
        }
        let (offset_ms, at_ms) = self.reference_time(first)?;
        let lookback_ms = self.settings.lookback_ms;
        let edges = Edges::Open;
        let scan = Scan {
            matchers: Vec::new(),
            shape: Shape { grid, window_ms: lookback_ms, offset_ms, at_ms, edges, lookback_ms },
            rollup: Rollup::Timestamp,
            params: Vec::new(),
            maps: Vec::new(),
            name: None,
            func: INFO.to_owned(),
            range_ms: 0,
            grouping: None,
            statistics: false,
            span,
        };
        Ok(Info { input: self.node(first)?, scan, labels })
    }

    /// Offset and `@` of the first selector in `expr`, those of the subqueries around it included: info
    /// series are read as of the time that the series are.
    fn reference_time(&self, expr: NodeId) -> Result<(i64, Option<i64>), Error> {
        let mut parents: HashMap<NodeId, NodeId> = HashMap::new();
        for id in self.ast.preorder(expr) {
            parents.extend(self.ast.children(id).map(|child| (child, id)));
            let Kind::Vector(selector) = self.ast.kind(id) else { continue };
            let (mut offset_ms, mut at_ms) = self.time_of(&selector.modifiers)?;
            let mut place = id;
            while let (None, Some(&parent)) = (at_ms, parents.get(&place)) {
                if let Kind::Subquery(subquery) = self.ast.kind(parent) {
                    let (more, at) = self.time_of(&subquery.modifiers)?;
                    offset_ms = offset_ms.saturating_add(more);
                    at_ms = at;
                }
                place = parent;
            }
            return Ok((offset_ms, at_ms));
        }
        Ok((0, None))
    }

    fn time_of(&self, modifiers: &TimeModifiers) -> Result<(i64, Option<i64>), Error> {
        let offset_ms = self.duration(modifiers.offset_ms, modifiers.offset_expr, true)?;
        Ok((offset_ms, context::pinned(modifiers.at, &self.query)))
    }
}
