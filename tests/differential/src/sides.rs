//! Both sides of a comparison, and the engine over values that the other side gave.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use engine::testing::Memory;
use engine::{Encoded, Error, Queryable, Select, Settings};
use futures::stream::BoxStream;
use model::{Labels, STALE_NAN_BITS};
use promql::ValueType;
use promql::ast::Kind;
use request::{Context, CpuPool};

use crate::answer::{Answer, Point};
use crate::culprit::{Culprit, Distance};
use crate::esker;
use crate::query::Query;

/// Who is compared.
pub struct Sides<'a> {
    pub peer: &'a dyn Fn(&Query) -> Result<Answer>,
    pub source: &'a dyn Queryable,
    pub settings: Settings,
    pub pool: &'a Arc<dyn CpuPool>,
}

impl fmt::Debug for Sides<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sides over {:?}", self.source)
    }
}

impl Sides<'_> {
    /// The peer's answer and ours.
    ///
    /// # Errors
    /// When there is none.
    pub fn both(&self, query: &Query) -> Result<(Answer, Answer)> {
        Ok(((self.peer)(query)?, esker::answer(query, self.source, self.settings, self.pool)?))
    }

    /// Our answer to a culprit where its operands have the values that the peer gave for them. None where these
    /// cannot stand for the operands.
    ///
    /// # Errors
    /// When there is none.
    pub fn over_peers_operands(&self, culprit: &Culprit) -> Result<Option<Answer>> {
        let (mut operands, mut text, mut shift) = (Vec::new(), culprit.query.text.clone(), 0_isize);
        for operand in culprit.operands.iter().filter(|operand| operand.distance == Distance::Near) {
            let Ok(ast) = promql::parse(&operand.text, &promql::Options::default()) else { return Ok(None) };
            let root = ast.unwrap_parens(ast.root());
            let (mut from, mut to) = (operand.span.start as usize, operand.span.end as usize);
            let mut stand_in = format!("{{{OPERAND}=\"{}\"}}", operands.len());
            match (ast.value_type(root), ast.kind(root)) {
                (ValueType::Scalar, _) => stand_in = format!("scalar({stand_in})"),
                (ValueType::Vector, _) => {}
                (_, Kind::Subquery(subquery)) => {
                    // Only what it steps through has another value.
                    let inner = ast.span(subquery.expr);
                    (from, to) = (from + inner.start as usize, from + inner.end as usize);
                }
                _ => return Ok(None),
            }
            let Some(values) = values(&operand.expected) else { return Ok(None) };
            operands.push(values);
            let place = |at: usize| at.saturating_add_signed(shift);
            text.replace_range(place(from)..place(to), &stand_in);
            shift += stand_in.len().cast_signed() - (to - from).cast_signed();
        }
        let overlay = Overlay { operands, rest: self.source };
        let query = Query { text, when: culprit.query.when };
        Ok(Some(esker::answer(&query, &overlay, self.settings, self.pool)?))
    }
}

/// Selects an operand by its number.
const OPERAND: &str = "__operand__";

/// The values of an answer as series: each point is followed by a marker, so that it stands for itself only.
fn values(answer: &Answer) -> Option<Memory> {
    let Answer::Given(given) = answer else { return None };
    let mut memory = Memory::new();
    for series in &given.series {
        let labels = Labels::from_pairs(series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut samples = Vec::new();
        for (t, point) in &series.points {
            let Point::Float(v) = point else { return None };
            samples.extend([(*t, *v), (*t + 1, f64::from_bits(STALE_NAN_BITS))]);
        }
        memory.add_floats(labels, samples);
    }
    Some(memory)
}

/// A source with operands beside its series.
#[derive(Debug)]
struct Overlay<'a> {
    operands: Vec<Memory>,
    rest: &'a dyn Queryable,
}

impl Queryable for Overlay<'_> {
    fn select(&self, cx: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>> {
        let number = select.matchers.iter().find(|matcher| &*matcher.name == OPERAND);
        match number.and_then(|matcher| self.operands.get(matcher.value.parse::<usize>().ok()?)) {
            // Its series have the labels that the peer gave, and not that one.
            Some(operand) => operand.select(cx, Select { matchers: Vec::new(), ..select }),
            None => self.rest.select(cx, select),
        }
    }
}
