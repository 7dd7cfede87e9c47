//! Several aggregations of one selector, fed by one read.

use super::super::Run;
use super::super::ahead::grouped;
use super::super::scan::{Morsel, Sink};
use super::{Cells, Groups};
use crate::Error;
use crate::plan::{Aggregates, Grouping};
use crate::vector::Vector;

/// The groups of each aggregation, with which of the keys is theirs.
struct Several<'a> {
    all: Vec<(usize, Groups<'a>)>,
    keys: usize,
}

impl Sink for Several<'_> {
    fn absorb(&mut self, morsel: &mut Morsel) -> Result<(), Error> {
        self.all.iter_mut().try_for_each(|(key, groups)| groups.take(morsel, *key, self.keys))
    }
}

impl Run<'_> {
    /// What each aggregation gives, in their order.
    pub(in crate::exec) async fn aggregates(&mut self, node: Aggregates) -> Result<Vec<Option<Vector>>, Error> {
        let Aggregates { scan, parts, scan_times } = node;
        let delayed = self.settings.delayed_name_removal;
        let dropped = scan.drops_name();
        let may_meet = !delayed && dropped && scan.name.is_none();
        let steps = scan.shape.grid.len();
        // Aggregations by the same labels have the same keys.
        let mut groupings: Vec<Grouping> = Vec::new();
        let mut sink = Several { all: Vec::with_capacity(parts.len()), keys: 0 };
        for part in &parts {
            let known = groupings.iter().position(|grouping| *grouping == part.grouping);
            let key = known.unwrap_or_else(|| {
                groupings.push(part.grouping.clone());
                groupings.len() - 1
            });
            sink.all.push((key, Groups::new(Cells::new(part.op), steps, part.input_span, self.cx.memory())?));
        }
        if let Some((_, first)) = sink.all.first_mut().filter(|_| may_meet) {
            first.seen = Some(hashbrown::HashSet::new());
        }
        sink.keys = groupings.len();
        let wants = grouped(&scan, &groupings, self.settings);
        let before = std::mem::take(self.notes);
        let scanned = self.scan(*scan, wants, &mut sink).await;
        let own = std::mem::replace(self.notes, before);
        self.notes.merge_times(own, scan_times);
        scanned?;
        let finish = |(part, (_, mut groups)): (&crate::plan::Part, (usize, Groups<'_>))| {
            if delayed && dropped {
                groups.drop_name.fill(true);
            }
            let mut vector = groups.finish()?;
            self.notes.merge_times(groups.notes, part.times);
            vector.drop_empty();
            Ok(Some(vector))
        };
        parts.iter().zip(sink.all).map(finish).collect()
    }
}
