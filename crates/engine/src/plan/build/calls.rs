//! Functions.

use model::matcher::MatchOp;
use model::regex::Regex;
use model::{Labels, LabelsBuilder, METRIC_NAME};
use promql::ast::{AggregateOp, Call, Kind, NodeId};
use promql::{FunctionId, Span, ValueType};

use super::super::{
    Aggregate, BucketFunction, Buckets, Grouping, Id, LabelJoin, LabelReplace, Map, Op, ScalarOp, Sort, SubqueryRollup,
};
use super::{Builder, Built, Range};
use crate::math::seconds;
use crate::rollup::{Edges, Rollup, Shape};
use crate::{Error, Grid};

impl Builder<'_> {
    pub(super) fn call(&mut self, call: &Call, invariant: bool, grid: Grid, span: Span) -> Result<Id, Error> {
        use FunctionId as F;
        let func = call.func.id;
        if let Some(rollup) = range_function(func) {
            return self.range_call(call, rollup, grid, span);
        }
        let args = |builder: &Self| call.args.iter().map(|&arg| builder.node(arg)).collect::<Result<Vec<Id>, Error>>();
        let scalar = |i: usize| call.args.get(i).map(|&arg| self.node(arg)).transpose();
        let input = || self.node(first_vector(call)?);
        let op = match func {
            F::Time => Op::Time,
            F::Pi => Op::Number(std::f64::consts::PI),
            F::Start => Op::Number(self.query.start_ms as f64 / 1000.0),
            F::End => Op::Number(self.query.end_ms as f64 / 1000.0),
            F::Range => Op::Number(seconds(self.query.end_ms - self.query.start_ms)),
            F::Step if self.query.start_ms == self.query.end_ms => Op::Number(0.0),
            F::Step => Op::Number(seconds(self.query.step_ms)),
            F::MaxOf | F::MinOf => {
                let args = args(self)?;
                let [a, b] = args[..] else { return Err(wrong_arguments(call)) };
                Op::Scalars(if func == F::MaxOf { ScalarOp::MaxOf } else { ScalarOp::MinOf }, a, b)
            }
            F::Scalar => Op::ToScalar(input()?),
            F::Vector => Op::ToVector(scalar(0)?.ok_or_else(|| wrong_arguments(call))?),
            F::Clamp => return self.map_call(call, Map::Clamp { min: scalar(1)?, max: scalar(2)? }, grid, span),
            F::ClampMin => return self.map_call(call, Map::Clamp { min: scalar(1)?, max: None }, grid, span),
            F::ClampMax => return self.map_call(call, Map::Clamp { min: None, max: scalar(1)? }, grid, span),
            F::Round => return self.map_call(call, Map::Round { to: scalar(1)? }, grid, span),
            F::DayOfMonth | F::DayOfWeek | F::DayOfYear | F::DaysInMonth | F::Hour | F::Minute | F::Month | F::Year => {
                if call.args.is_empty() {
                    let time = self.push(Op::Time, grid, span);
                    let now = self.push(Op::ToVector(time), grid, span);
                    return Ok(self.map(now, Map::Date(func), grid, span));
                }
                return self.map_call(call, Map::Date(func), grid, span);
            }
            F::Timestamp => return self.timestamp(call, Rollup::Timestamp, grid, span),
            F::StartTimestamp => return self.timestamp(call, Rollup::StartTimestamp, grid, span),
            F::Absent => {
                let input = input()?;
                let labels = self.absent_labels(call)?;
                return Ok(self.absent(input, labels, grid, span));
            }
            F::Sort | F::SortDesc | F::SortByLabel | F::SortByLabelDesc => {
                let by_label = matches!(func, F::SortByLabel | F::SortByLabelDesc);
                let labels = by_label.then(|| self.texts(&call.args[1..])).transpose()?;
                let is_range = grid.start_ms != grid.end_ms && !invariant;
                let descending = matches!(func, F::SortDesc | F::SortByLabelDesc);
                Op::Sort(Box::new(Sort { input: input()?, descending, labels, is_range }))
            }
            F::LabelReplace => Op::LabelReplace(Box::new(self.label_replace(call)?)),
            F::LabelJoin => Op::LabelJoin(Box::new(self.label_join(call)?)),
            F::HistogramQuantile
            | F::HistogramQuantiles
            | F::HistogramFraction
            | F::HistogramAvg
            | F::HistogramCount
            | F::HistogramSum
            | F::HistogramStddev
            | F::HistogramStdvar => Op::Buckets(Box::new(self.buckets(call)?)),
            F::Info => Op::Info(Box::new(self.info(call, grid, span)?)),
            _ => return self.map_call(call, Map::Math(func), grid, span),
        };
        Ok(self.push(op, grid, span))
    }

    fn map_call(&mut self, call: &Call, map: Map, grid: Grid, span: Span) -> Result<Id, Error> {
        let input = self.node(first_vector(call)?)?;
        Ok(self.map(input, map, grid, span))
    }

    fn texts(&self, ids: &[NodeId]) -> Result<Vec<String>, Error> {
        ids.iter().map(|&id| self.text(id)).collect()
    }

    /// A function of windows: over a selector or over a subquery.
    fn range_call(&mut self, call: &Call, rollup: Rollup, grid: Grid, span: Span) -> Result<Id, Error> {
        let is_range = |id: &&NodeId| self.ast.value_type(**id) == ValueType::Matrix;
        let range_arg = *call.args.iter().find(is_range).ok_or_else(|| wrong_arguments(call))?;
        let params: Vec<Id> =
            call.args.iter().filter(|&&id| id != range_arg).map(|&id| self.node(id)).collect::<Result<_, _>>()?;
        let Built::Range(range) = self.of(range_arg)? else { return Err(wrong_arguments(call)) };
        // As Prometheus has it: of the first argument, and a subquery has lost its place.
        let first = self.ast.unwrap_parens(call.args[0]);
        let arg_span = match range {
            Range::Subquery { .. } if first == self.ast.unwrap_parens(range_arg) => Span::default(),
            _ => self.ast.span(first),
        };
        let id = match range {
            Range::Selector { selector, range_ms } => {
                let Kind::Vector(vector) = self.ast.kind(selector) else { return Err(wrong_arguments(call)) };
                let mut scan = self.scan(vector, rollup, range_ms, grid, arg_span)?;
                // Where there are no steps, nothing is evaluated and nothing refused.
                if !grid.is_empty() {
                    check_edges(scan.shape.edges, call)?;
                }
                scan.params = params;
                scan.statistics = self.contexts[selector.index()].is_some_and(|context| context.statistics);
                call.func.name.clone_into(&mut scan.func);
                self.push(Op::Scan(Box::new(scan)), grid, span)
            }
            Range::Subquery { input, grid: inner, range_ms, offset_ms, at_ms, .. } => {
                let lookback_ms = self.settings.lookback_ms;
                let shape = Shape { grid, window_ms: range_ms, offset_ms, at_ms, edges: Edges::Open, lookback_ms };
                let rollup = SubqueryRollup { input, grid: inner, shape, rollup, params };
                self.push(Op::Subquery(Box::new(rollup)), grid, arg_span)
            }
        };
        if call.func.id != FunctionId::AbsentOverTime {
            return Ok(id);
        }
        let labels = match range {
            Range::Selector { selector, .. } => self.matched_labels(selector),
            Range::Subquery { .. } => Labels::empty(),
        };
        Ok(self.absent(id, labels, grid, span))
    }

    /// Whether anything is there, turned round.
    fn absent(&mut self, input: Id, labels: Labels, grid: Grid, span: Span) -> Id {
        let aggregate = Aggregate {
            op: AggregateOp::Group,
            source: self.source(input, None),
            grouping: Grouping::default(),
            param: None,
            label: String::new(),
            param_span: span,
            input_span: span,
        };
        let present = self.push(Op::Aggregate(Box::new(aggregate)), grid, span);
        self.push(Op::Absent(present, labels), grid, span)
    }

    fn absent_labels(&self, call: &Call) -> Result<Labels, Error> {
        Ok(self.matched_labels(self.ast.unwrap_parens(first_vector(call)?)))
    }

    /// The labels that a selector pins to one value, each by one matcher.
    fn matched_labels(&self, selector: NodeId) -> Labels {
        let Kind::Vector(selector) = self.ast.kind(selector) else { return Labels::empty() };
        let mut labels = LabelsBuilder::new();
        let mut seen: Vec<&str> = Vec::new();
        for matcher in selector.matchers.iter().filter(|m| &*m.name != METRIC_NAME) {
            if matcher.op == MatchOp::Equal && !seen.contains(&&*matcher.name) {
                labels.set(&matcher.name, &matcher.value);
                seen.push(&matcher.name);
            } else {
                labels.remove(&matcher.name);
            }
        }
        labels.build()
    }

    /// Of a selector: the time of the sample itself, or where that starts. Of anything else: the time of the
    /// step, which starts nowhere.
    fn timestamp(&mut self, call: &Call, rollup: Rollup, grid: Grid, span: Span) -> Result<Id, Error> {
        let arg = first_vector(call)?;
        let input = self.node(arg)?;
        if rollup == Rollup::StartTimestamp && !self.settings.start_timestamps {
            return Ok(self.push(Op::Nothing, grid, span));
        }
        if let (Kind::Vector(_), Op::Scan(scan)) =
            (self.ast.kind(self.ast.unwrap_parens(arg)), &mut self.nodes[input].op)
        {
            scan.rollup = rollup;
            scan.shape.edges = Edges::Open;
            let op = std::mem::replace(&mut self.nodes[input].op, Op::Fused);
            return Ok(self.push(op, grid, span));
        }
        if rollup == Rollup::StartTimestamp {
            return Ok(self.push(Op::Nothing, grid, span));
        }
        Ok(self.map(input, Map::Math(FunctionId::Timestamp), grid, span))
    }

    fn label_replace(&self, call: &Call) -> Result<LabelReplace, Error> {
        let [input, target, replacement, source, pattern] = call.args[..] else { return Err(wrong_arguments(call)) };
        let pattern = self.text(pattern)?;
        let regex = Regex::new(&pattern)
            .map_err(|_| Error::Execution(format!("invalid regular expression in label_replace(): {pattern}")))?;
        let target = self.label(target, "invalid destination label name in label_replace()")?;
        Ok(LabelReplace {
            input: self.node(input)?,
            target,
            replacement: self.text(replacement)?,
            source: self.text(source)?,
            regex,
        })
    }

    fn label_join(&self, call: &Call) -> Result<LabelJoin, Error> {
        let [input, target, separator, ref sources @ ..] = call.args[..] else { return Err(wrong_arguments(call)) };
        let source = |id: &NodeId| self.label(*id, "invalid source label name in label_join()");
        let sources = sources.iter().map(source).collect::<Result<_, _>>()?;
        let target = self.label(target, "invalid destination label name in label_join()")?;
        Ok(LabelJoin { input: self.node(input)?, target, separator: self.text(separator)?, sources })
    }

    fn buckets(&self, call: &Call) -> Result<Buckets, Error> {
        let what = match call.func.id {
            FunctionId::HistogramQuantile => BucketFunction::Quantile,
            FunctionId::HistogramFraction => BucketFunction::Fraction,
            FunctionId::HistogramQuantiles => {
                BucketFunction::Quantiles(self.text(*call.args.get(1).ok_or_else(|| wrong_arguments(call))?)?)
            }
            func => BucketFunction::OfNative(func),
        };
        let input = first_vector(call)?;
        let scalars = call.args.iter().filter(|&&id| self.ast.value_type(id) == ValueType::Scalar);
        let span = |id: NodeId| self.ast.span(self.ast.unwrap_parens(id));
        let param_spans = scalars.clone().map(|&id| span(id)).collect();
        let params = scalars.map(|&id| self.node(id)).collect::<Result<_, _>>()?;
        Ok(Buckets { what, input: self.node(input)?, params, param_spans, input_span: span(input) })
    }
}

/// The first vector among the arguments.
fn first_vector(call: &Call) -> Result<NodeId, Error> {
    let types = call.func.arg_types.iter();
    let place = types.enumerate().find(|(_, t)| **t == ValueType::Vector).map(|(i, _)| i);
    place.and_then(|i| call.args.get(i)).copied().ok_or_else(|| wrong_arguments(call))
}

fn wrong_arguments(call: &Call) -> Error {
    Error::BadQuery(format!("wrong arguments in call to {}", call.func.name))
}

/// Few functions know what to do with samples beyond the window.
fn check_edges(edges: Edges, call: &Call) -> Result<(), Error> {
    use FunctionId::{Changes, Delta, Increase, Rate, Resets};
    let func = call.func.id;
    let name = call.func.name;
    match edges {
        Edges::Anchored if !matches!(func, Resets | Changes | Rate | Increase | Delta) => {
            Err(Error::Execution(format!(
                "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with {name}"
            )))
        }
        Edges::Smoothed if !matches!(func, Rate | Increase | Delta) => Err(Error::Execution(format!(
            "smoothed modifier can only be used with: delta, increase, rate - not with {name}"
        ))),
        _ => Ok(()),
    }
}

fn range_function(id: FunctionId) -> Option<Rollup> {
    use FunctionId as F;
    Some(match id {
        F::Rate => Rollup::Rate,
        F::Increase => Rollup::Increase,
        F::Delta => Rollup::Delta,
        F::Irate => Rollup::Irate,
        F::Idelta => Rollup::Idelta,
        F::Deriv => Rollup::Deriv,
        F::PredictLinear => Rollup::PredictLinear,
        F::DoubleExponentialSmoothing => Rollup::DoubleExponential,
        F::SumOverTime => Rollup::Sum,
        F::AvgOverTime => Rollup::Avg,
        F::MinOverTime => Rollup::Min,
        F::MaxOverTime => Rollup::Max,
        F::CountOverTime => Rollup::Count,
        F::StddevOverTime => Rollup::Stddev,
        F::StdvarOverTime => Rollup::Stdvar,
        F::QuantileOverTime => Rollup::Quantile,
        F::MadOverTime => Rollup::Mad,
        F::FirstOverTime => Rollup::First,
        // Which series are there is asked of all names at once, so none of them is dropped.
        F::LastOverTime | F::AbsentOverTime => Rollup::Last,
        F::PresentOverTime => Rollup::Present,
        F::Changes => Rollup::Changes,
        F::Resets => Rollup::Resets,
        F::TsOfFirstOverTime => Rollup::TsOfFirst,
        F::TsOfLastOverTime => Rollup::TsOfLast,
        F::TsOfMinOverTime => Rollup::TsOfMin,
        F::TsOfMaxOverTime => Rollup::TsOfMax,
        _ => return None,
    })
}
