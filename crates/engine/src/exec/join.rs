//! Binary operators between two vectors.

mod pairs;
mod sets;
mod stepwise;

use promql::Span;
use promql::ast::{BinaryOp, Cardinality, VectorMatching};

use super::Run;
use super::group::{KeyMaker, KeyTable};
use crate::Error;
use crate::notes::Notes;
use crate::plan::{Grouping, Join};
use crate::vector::Vector;

/// The match groups of both sides, numbered alike.
struct Signatures {
    lhs: Vec<usize>,
    rhs: Vec<usize>,
    count: usize,
}

impl Signatures {
    fn new(matching: &VectorMatching, lhs: &Vector, rhs: &Vector) -> Self {
        let mut labels = matching.labels.clone();
        labels.sort_unstable();
        labels.dedup();
        // `ignoring` leaves out the name as well, as `without` does.
        let keys = KeyMaker::new(Grouping { without: !matching.on, labels: labels.into() }, false);
        let (mut table, mut key) = (KeyTable::default(), Vec::new());
        let mut numbers = |vector: &Vector| {
            let mut number = |labels: &model::Labels| {
                key.clear();
                keys.push(labels.iter(), &mut key);
                table.number(&key)
            };
            vector.series.iter().map(|head| number(&head.labels)).collect()
        };
        let (lhs, rhs) = (numbers(lhs), numbers(rhs));
        Self { lhs, rhs, count: table.len() }
    }
}

impl Run<'_> {
    pub(super) fn join(&mut self, join: &Join, lhs: Vector, rhs: Vector, span: Span) -> Result<Vector, Error> {
        let memory = self.cx.memory();
        let signatures = Signatures::new(&join.matching, &lhs, &rhs);
        let mut result = match join.op {
            BinaryOp::And => sets::and(lhs, &rhs, &signatures),
            BinaryOp::Unless => sets::unless(lhs, &rhs, &signatures),
            BinaryOp::Or => sets::or(lhs, &rhs, &signatures)?,
            op => {
                let swapped = join.matching.card == Cardinality::OneToMany;
                let (many, one) = if swapped { (&rhs, &lhs) } else { (&lhs, &rhs) };
                let (many_signatures, one_signatures) =
                    if swapped { (&signatures.rhs, &signatures.lhs) } else { (&signatures.lhs, &signatures.rhs) };
                let mut notes = Notes::default();
                let sides = pairs::Sides {
                    span,
                    op,
                    matching: &join.matching,
                    return_bool: join.return_bool,
                    delayed: self.settings.delayed_name_removal,
                    many,
                    one,
                    many_signatures,
                    one_signatures,
                    signatures: signatures.count,
                };
                let joined = sides.join(memory, &mut notes);
                self.notes.merge(notes);
                joined?
            }
        };
        result.drop_empty();
        // The rows of one label set at different steps are one series.
        if result.steps == 1 && self.settings.delayed_name_removal { Ok(result) } else { result.merged(memory) }
    }
}
