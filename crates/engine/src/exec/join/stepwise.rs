//! Joins in which native histograms take part, step by step. A pair that makes no sense has no result,
//! and then counts as not matched at all; of such pairs only the last of a step is noted.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use model::Labels;
use promql::ast::{BinaryOp, Cardinality};
use request::MemoryAccount;

use super::super::histograms::{self, Operand, Outcome};
use super::pairs::Sides;
use crate::Error;
use crate::notes::Notes;
use crate::vector::{Head, Vector};

/// A series of the many side and one of the one side; none is the fill value.
type Pair = (Option<usize>, Option<usize>);

/// What is matched so far in a step.
#[derive(Default)]
struct Matched {
    /// One-to-one: the signatures. Else: with the labels of the result.
    seen: HashSet<(usize, Option<Labels>)>,
    signatures: HashSet<usize>,
}

struct Stepwise<'a> {
    sides: &'a Sides<'a>,
    vector: Vector,
    rows: HashMap<Pair, usize>,
    matched: Matched,
    /// The last thing to note of the step.
    note: Notes,
}

impl Sides<'_> {
    /// Whether the result is not a matter of floats alone.
    pub(super) fn is_stepwise(&self) -> bool {
        let natives = |vector: &Vector| vector.series.iter().any(|head| head.histograms.is_some());
        matches!(self.op, BinaryOp::TrimLower | BinaryOp::TrimUpper) || natives(self.many) || natives(self.one)
    }

    /// The join, after it was checked that the one side is one.
    pub(super) fn join_stepwise(
        &self,
        ones: &[Vec<usize>],
        memory: &MemoryAccount,
        notes: &mut Notes,
    ) -> Result<Vector, Error> {
        let mut join = Stepwise {
            sides: self,
            vector: Vector::new(self.many.steps, memory)?,
            rows: HashMap::new(),
            matched: Matched::default(),
            note: Notes::default(),
        };
        for step in 0..self.many.steps {
            join.step(step, ones)?;
            notes.merge(std::mem::take(&mut join.note));
        }
        Ok(join.vector)
    }
}

impl Stepwise<'_> {
    fn step(&mut self, step: usize, ones: &[Vec<usize>]) -> Result<(), Error> {
        let sides = self.sides;
        self.matched = Matched::default();
        for (i, &signature) in sides.many_signatures.iter().enumerate() {
            if !sides.many.has_value(i, step) {
                continue;
            }
            let partner = ones[signature].iter().copied().find(|&j| sides.one.has_value(j, step));
            if partner.is_some() || sides.matching.fill.rhs.is_some() {
                self.pair((Some(i), partner), signature, step)?;
            }
        }
        if sides.matching.fill.lhs.is_none() {
            return Ok(());
        }
        for (j, &signature) in sides.one_signatures.iter().enumerate() {
            if sides.one.has_value(j, step) && !self.matched.signatures.contains(&signature) {
                self.pair((None, Some(j)), signature, step)?;
            }
        }
        Ok(())
    }

    fn pair(&mut self, pair: Pair, signature: usize, step: usize) -> Result<(), Error> {
        let sides = self.sides;
        let many = operand(sides.many, pair.0, step, sides.matching.fill.lhs);
        let one = operand(sides.one, pair.1, step, sides.matching.fill.rhs);
        let (lhs, rhs) = if sides.matching.card == Cardinality::OneToMany { (one, many) } else { (many, one) };
        let value = match (many, one) {
            (Operand::Float(many), Operand::Float(one)) if !is_trim(sides.op) => Ok(sides.value(many, one)),
            _ => {
                let mut note = Notes::default();
                let outcome = histograms::between(sides.op, lhs, rhs, &mut note, sides.span);
                if !note.is_empty() {
                    self.note = note;
                }
                let Some(outcome) = outcome else { return Ok(()) };
                Err(outcome)
            }
        };
        let row = self.row(pair)?;
        let one_to_one = sides.matching.card == Cardinality::OneToOne;
        let key = (signature, (!one_to_one).then(|| self.vector.series[row].labels.clone()));
        if !self.matched.seen.insert(key) {
            return Err(sides.several_matches());
        }
        self.matched.signatures.insert(signature);
        match value {
            Ok(value) => self.vector.row_mut(row)[step] = value,
            Err(outcome) if sides.return_bool => {
                let holds = matches!(outcome, Outcome::Histogram(_));
                self.vector.row_mut(row)[step] = f64::from(u8::from(holds));
            }
            Err(Outcome::Histogram(h)) => {
                self.vector.series[row].set_histogram(step, sides.many.steps, Arc::new(h));
            }
            Err(Outcome::Filtered) => {}
        }
        Ok(())
    }

    /// The row of a pair's result.
    fn row(&mut self, pair: Pair) -> Result<usize, Error> {
        if let Some(&row) = self.rows.get(&pair) {
            return Ok(row);
        }
        let sides = self.sides;
        let head: Head = match (pair.0, pair.1.map(|j| &sides.one.series[j].labels)) {
            (Some(i), one) => sides.head(&sides.many.series[i].labels, one),
            (None, Some(one)) => sides.head(&sides.matched(one), Some(one)),
            (None, None) => Head::new(Labels::empty()),
        };
        let row = self.vector.len();
        self.vector.push_absent(head)?;
        self.rows.insert(pair, row);
        Ok(row)
    }
}

fn is_trim(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::TrimLower | BinaryOp::TrimUpper)
}

fn operand(side: &Vector, series: Option<usize>, step: usize, fill: Option<f64>) -> Operand<'_> {
    let Some(i) = series else { return Operand::Float(fill.unwrap_or(f64::NAN)) };
    match side.series[i].histogram(step) {
        Some(h) => Operand::Histogram(h),
        None => Operand::Float(side.row(i)[step]),
    }
}
