//! Arithmetic and comparisons between matching series.

use hashbrown::HashMap;
use model::{Labels, LabelsBuilder, METRIC_NAME};
use promql::Span;
use promql::ast::{BinaryOp, Cardinality, VectorMatching};
use request::MemoryAccount;

use super::super::scalars;
use crate::Error;
use crate::notes::Notes;
use crate::plan::changes_metric;
use crate::vector::{ABSENT, Head, METADATA_LABELS, Vector, is_absent};

/// The two sides, the one that may have several series in a match group first.
pub(super) struct Sides<'a> {
    pub(super) span: Span,
    pub(super) op: BinaryOp,
    pub(super) matching: &'a VectorMatching,
    pub(super) return_bool: bool,
    pub(super) delayed: bool,
    pub(super) many: &'a Vector,
    pub(super) one: &'a Vector,
    pub(super) many_signatures: &'a [usize],
    pub(super) one_signatures: &'a [usize],
    pub(super) signatures: usize,
}

/// A series of the many side with its partner; none is the fill value.
type Pair = (usize, Option<usize>);

impl Sides<'_> {
    pub(super) fn join(&self, memory: &MemoryAccount, notes: &mut Notes) -> Result<Vector, Error> {
        let steps = self.many.steps;
        let mut ones: Vec<Vec<usize>> = vec![Vec::new(); self.signatures];
        for (j, &signature) in self.one_signatures.iter().enumerate() {
            ones[signature].push(j);
        }
        self.check_one_side(&ones)?;
        if self.is_stepwise() {
            return self.join_stepwise(&ones, memory, notes);
        }
        let mut manys: Vec<Vec<usize>> = vec![Vec::new(); self.signatures];
        for (i, &signature) in self.many_signatures.iter().enumerate() {
            manys[signature].push(i);
        }
        let mut vector = Vector::new(steps, memory)?;
        let mut results: HashMap<(usize, Labels), Vec<Pair>> = HashMap::new();
        for (i, &signature) in self.many_signatures.iter().enumerate() {
            let partners = ones[signature].iter().map(|&j| Some(j));
            let fill = self.matching.fill.rhs.map(|_| None);
            for partner in partners.chain(fill) {
                let head = self.head(&self.many.series[i].labels, partner.map(|j| &self.one.series[j].labels));
                self.check_unique(&head, signature, (i, partner), &manys, &ones, &mut results)?;
                vector.push_absent(head)?;
                let last = vector.len() - 1;
                self.fill_row(i, partner, &ones[signature], vector.row_mut(last));
            }
        }
        if let Some(fill) = self.matching.fill.lhs {
            for (j, &signature) in self.one_signatures.iter().enumerate() {
                let labels = &self.one.series[j].labels;
                let head = self.head(&self.matched(labels), Some(labels));
                let row = vector.push_absent(head)?;
                for (step, out) in row.iter_mut().enumerate() {
                    let alone = manys[signature].iter().all(|&i| !self.many.has_value(i, step));
                    let value = self.one.row(j)[step];
                    if alone && !is_absent(value) {
                        *out = self.value(fill, value);
                    }
                }
            }
        }
        Ok(vector)
    }

    fn fill_row(&self, i: usize, partner: Option<usize>, ones: &[usize], row: &mut [f64]) {
        let many = self.many.row(i);
        let Some(j) = partner else {
            let fill = self.matching.fill.rhs.unwrap_or(f64::NAN);
            for (step, out) in row.iter_mut().enumerate() {
                let alone = ones.iter().all(|&j| !self.one.has_value(j, step));
                if alone && !is_absent(many[step]) {
                    *out = self.value(many[step], fill);
                }
            }
            return;
        };
        let one = self.one.row(j);
        // One loop for each of the common operators, so that they run on whole vectors.
        match (self.op, self.matching.card == Cardinality::OneToMany) {
            (BinaryOp::Add, _) => both(row, many, one, |a, b| a + b),
            (BinaryOp::Mul, _) => both(row, many, one, |a, b| a * b),
            (BinaryOp::Sub, false) => both(row, many, one, |a, b| a - b),
            (BinaryOp::Div, false) => both(row, many, one, |a, b| a / b),
            _ => both(row, many, one, |a, b| self.value(a, b)),
        }
    }

    /// The result for one value of each side.
    pub(super) fn value(&self, many: f64, one: f64) -> f64 {
        let (lhs, rhs) = if self.matching.card == Cardinality::OneToMany { (one, many) } else { (many, one) };
        if self.return_bool {
            f64::from(u8::from(scalars::holds(self.op, lhs, rhs)))
        } else {
            scalars::between(self.op, lhs, rhs)
        }
    }

    /// No two series of the one side may be in a match group at the same step.
    fn check_one_side(&self, ones: &[Vec<usize>]) -> Result<(), Error> {
        if ones.iter().all(|group| group.len() < 2) {
            return Ok(());
        }
        let filled = self.matching.fill.lhs.is_some() || self.matching.fill.rhs.is_some();
        let mut active = vec![filled; self.many.steps];
        for i in 0..self.many.len() {
            for (step, active) in active.iter_mut().enumerate() {
                *active = *active || self.many.has_value(i, step);
            }
        }
        for group in ones.iter().filter(|group| group.len() > 1) {
            let mut holder: Vec<Option<usize>> = vec![None; self.many.steps];
            for &j in group {
                for (step, holder) in holder.iter_mut().enumerate() {
                    if !active[step] || !self.one.has_value(j, step) {
                        continue;
                    }
                    match holder {
                        Some(other) => return Err(self.several_partners(*other, j)),
                        None => *holder = Some(j),
                    }
                }
            }
        }
        Ok(())
    }

    fn several_partners(&self, a: usize, b: usize) -> Error {
        let group = self.matched(&self.one.series[b].labels);
        let side = if self.matching.card == Cardinality::OneToMany { "left" } else { "right" };
        let mut names = [a, b].map(|j| self.one.series[j].labels.to_string());
        names.sort();
        let [first, second] = names;
        Error::Execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
             [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }

    /// One-to-one: a partner is taken once a step. Else: the result is unique in its match group.
    fn check_unique(
        &self,
        head: &Head,
        signature: usize,
        pair: Pair,
        manys: &[Vec<usize>],
        ones: &[Vec<usize>],
        results: &mut HashMap<(usize, Labels), Vec<Pair>>,
    ) -> Result<(), Error> {
        let one_to_one = self.matching.card == Cardinality::OneToOne;
        if manys[signature].len() == 1 {
            return Ok(());
        }
        // In one-to-one matching all pairs of a group exclude each other.
        let key = (signature, if one_to_one { Labels::empty() } else { head.labels.clone() });
        let earlier = results.entry(key).or_default();
        let ones = &ones[signature];
        for step in 0..self.many.steps {
            if self.matches(pair, ones, step) && earlier.iter().any(|&other| self.matches(other, ones, step)) {
                return Err(self.several_matches());
            }
        }
        earlier.push(pair);
        Ok(())
    }

    pub(super) fn several_matches(&self) -> Error {
        let why = if self.matching.card == Cardinality::OneToOne {
            "many-to-one matching must be explicit (group_left/group_right)"
        } else {
            "grouping labels must ensure unique matches"
        };
        Error::Execution(format!("multiple matches for labels: {why}"))
    }

    fn matches(&self, (i, partner): Pair, ones: &[usize], step: usize) -> bool {
        self.many.has_value(i, step)
            && match partner {
                Some(j) => self.one.has_value(j, step),
                None => ones.iter().all(|&j| !self.one.has_value(j, step)),
            }
    }

    /// The labels that took part in matching.
    pub(super) fn matched(&self, labels: &Labels) -> Labels {
        let chosen = |name: &str| self.matching.labels.iter().any(|l| l == name);
        let keep = |name: &str| if self.matching.on { chosen(name) } else { name != METRIC_NAME && !chosen(name) };
        Labels::from_sorted(labels.iter().filter(|(name, _)| keep(name)))
    }

    /// The labels of the result; a missing partner has those that matched.
    pub(super) fn head(&self, many: &Labels, one: Option<&Labels>) -> Head {
        let mut labels: LabelsBuilder = many.iter().collect();
        if changes_metric(self.op) || (self.return_bool && !self.delayed) {
            labels.retain(|name| !METADATA_LABELS.contains(&name));
        }
        if self.matching.card == Cardinality::OneToOne {
            let chosen = |name: &str| self.matching.labels.iter().any(|l| l == name);
            labels.retain(|name| chosen(name) == self.matching.on);
        }
        let filled = one.is_none().then(|| self.matched(many));
        for name in &self.matching.include {
            let value = one.or(filled.as_ref()).and_then(|labels| labels.get(name));
            labels.set(name, value.unwrap_or(""));
        }
        Head { drop_name: self.return_bool && self.delayed, ..Head::new(labels.build()) }
    }
}

#[inline(always)]
fn both(out: &mut [f64], many: &[f64], one: &[f64], value: impl Fn(f64, f64) -> f64) {
    for ((out, &a), &b) in out.iter_mut().zip(many).zip(one) {
        *out = if is_absent(a) || is_absent(b) { ABSENT } else { value(a, b) };
    }
}
