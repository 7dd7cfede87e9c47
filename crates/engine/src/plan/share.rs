//! Common parts: a node like an earlier one is that node, and aggregations of the same selector are fed by
//! one read of it.

mod same;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use promql::ast::AggregateOp;

use super::{Aggregates, Id, Node, Op, Part, Plan, Scan, Source};

/// The plan with each part once.
pub(super) fn share(plan: Plan) -> Plan {
    share_reads(share_nodes(plan))
}

/// Gives every node that is like an earlier one that one's place. Positions are the last one's, as notes of
/// the same wording have the last one's.
fn share_nodes(plan: Plan) -> Plan {
    let Plan { nodes, root, applied } = plan;
    let mut shared: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut places: Vec<Id> = Vec::with_capacity(nodes.len());
    let mut known: HashMap<u64, Vec<Id>> = HashMap::new();
    for mut node in nodes {
        node.op.each_input(&mut |id| *id = places[*id]);
        let alike = known.entry(digest(&node)).or_default();
        let found = alike.iter().copied().find(|&id| same::nodes(&shared[id], &node));
        let place = found.unwrap_or(shared.len());
        match found {
            Some(id) => shared[id] = Node { times: shared[id].times.saturating_add(1), ..node },
            None => {
                alike.push(place);
                shared.push(node);
            }
        }
        places.push(place);
    }
    Plan { nodes: shared, root: places[root], applied }
}

/// What nodes that are the same have in common.
fn digest(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    std::mem::discriminant(&node.op).hash(&mut hasher);
    (node.grid.start_ms, node.grid.end_ms, node.grid.step_ms).hash(&mut hasher);
    node.op.inputs().hash(&mut hasher);
    match &node.op {
        Op::Number(v) => v.to_bits().hash(&mut hasher),
        Op::Text(text) => text.hash(&mut hasher),
        Op::Scan(scan) => digest_scan(scan, &mut hasher),
        Op::Aggregate(aggregate) => {
            aggregate.op.hash(&mut hasher);
            if let Source::Scan(scan) = &aggregate.source {
                digest_scan(scan, &mut hasher);
            }
        }
        _ => {}
    }
    hasher.finish()
}

fn digest_scan(scan: &Scan, hasher: &mut DefaultHasher) {
    for matcher in &scan.matchers {
        (&matcher.name, matcher.op, &matcher.value).hash(hasher);
    }
    (scan.rollup, scan.shape.window_ms, scan.shape.offset_ms, scan.shape.at_ms, scan.shape.edges).hash(hasher);
}

/// Who reads the same selector.
#[derive(Default)]
struct Readers {
    /// As a vector.
    whole: Vec<Id>,
    /// Aggregations that need all values at once.
    gathering: Vec<Id>,
    /// Aggregations that take series as they come.
    streaming: Vec<Id>,
}

impl Readers {
    fn first(&self) -> Option<Id> {
        [&self.whole, &self.gathering, &self.streaming].into_iter().flatten().min().copied()
    }
}

/// What becomes of a selector with several readers, at the place of the first.
enum Shared {
    /// A vector that all of them read.
    Vector,
    /// Groups of several aggregations, filled in one go.
    Groups(Vec<Id>),
}

fn share_reads(plan: Plan) -> Plan {
    let classes = classes(&plan.nodes);
    let mut shared: HashMap<Id, Shared> = HashMap::new();
    // For each aggregation the class it is fed by.
    let mut fed: HashMap<Id, Id> = HashMap::new();
    for readers in classes {
        let Some(first) = readers.first() else { continue };
        if !readers.whole.is_empty() || readers.gathering.len() > 1 {
            if readers.whole.len() + readers.gathering.len() + readers.streaming.len() < 2 {
                continue;
            }
            let all = readers.whole.iter().chain(&readers.gathering).chain(&readers.streaming);
            fed.extend(all.map(|&id| (id, first)));
            shared.insert(first, Shared::Vector);
        } else if let [first, _, ..] = readers.streaming[..] {
            fed.extend(readers.streaming.iter().map(|&id| (id, first)));
            shared.insert(first, Shared::Groups(readers.streaming));
        }
    }
    if shared.is_empty() { plan } else { rebuild(plan, shared, &fed) }
}

/// The readers of each selector, selectors that are the same together.
fn classes(nodes: &[Node]) -> Vec<Readers> {
    let mut classes: Vec<(Id, Readers)> = Vec::new();
    let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
    for (id, node) in nodes.iter().enumerate() {
        let Some(scan) = scan_of(&node.op) else { continue };
        let mut hasher = DefaultHasher::new();
        digest_scan(scan, &mut hasher);
        let alike = known.entry(hasher.finish()).or_default();
        let found = alike.iter().copied().find(|&class| {
            let other: &Op = &nodes[classes[class].0].op;
            scan_of(other).is_some_and(|other| same::scans(other, scan))
        });
        let class = found.unwrap_or_else(|| {
            classes.push((id, Readers::default()));
            alike.push(classes.len() - 1);
            classes.len() - 1
        });
        let readers = &mut classes[class].1;
        match &node.op {
            Op::Aggregate(aggregate) if is_streaming(aggregate.op) => readers.streaming.push(id),
            Op::Aggregate(aggregate) => match aggregate.op {
                AggregateOp::Quantile | AggregateOp::CountValues => readers.gathering.push(id),
                // `topk` and its like hold only what they give: they read for themselves.
                _ => {}
            },
            _ => readers.whole.push(id),
        }
    }
    classes.into_iter().map(|(_, readers)| readers).collect()
}

fn scan_of(op: &Op) -> Option<&Scan> {
    match op {
        Op::Scan(scan) => Some(scan),
        Op::Aggregate(aggregate) => match &aggregate.source {
            Source::Scan(scan) => Some(scan),
            Source::Node(_) => None,
        },
        _ => None,
    }
}

fn is_streaming(op: AggregateOp) -> bool {
    use AggregateOp::{Avg, Count, Group, Max, Min, Stddev, Stdvar, Sum};
    matches!(op, Avg | Count | Group | Max | Min | Stddev | Stdvar | Sum)
}

fn rebuild(plan: Plan, mut shared: HashMap<Id, Shared>, fed: &HashMap<Id, Id>) -> Plan {
    let Plan { nodes, root, applied } = plan;
    let mut rebuilt: Vec<Node> = Vec::with_capacity(nodes.len() + shared.len());
    let mut places: Vec<Id> = Vec::with_capacity(nodes.len());
    // Where each shared selector went, and which aggregations are parts of it.
    let mut reads: HashMap<Id, (Id, Vec<Id>)> = HashMap::new();
    let times: Vec<u64> = nodes.iter().map(|node| node.times).collect();
    let mut parts: HashMap<Id, Part> = HashMap::new();
    for (&id, &class) in fed {
        if let (Some(Shared::Groups(_)), Op::Aggregate(aggregate)) = (shared.get(&class), &nodes[id].op) {
            let part = Part {
                op: aggregate.op,
                grouping: aggregate.grouping.clone(),
                input_span: aggregate.input_span,
                times: nodes[id].times,
            };
            parts.insert(id, part);
        }
    }
    let last_scan: HashMap<Id, (Scan, u64)> = last_scans(&nodes, fed, &times);
    for (id, mut node) in nodes.into_iter().enumerate() {
        node.op.each_input(&mut |input| *input = places[*input]);
        if let Some(what) = shared.remove(&id)
            && let Some((scan, times)) = last_scan.get(&id)
        {
            let mut scan = Box::new(scan.clone());
            scan.each_input(&mut |input| *input = places[*input]);
            let (grid, span) = (scan.shape.grid, node.span);
            let (op, members) = match what {
                Shared::Vector => {
                    scan.grouping = None;
                    (Op::Scan(scan), Vec::new())
                }
                Shared::Groups(members) => {
                    let parts = members.iter().filter_map(|member| parts.remove(member)).collect();
                    (Op::Aggregates(Box::new(Aggregates { scan, parts, scan_times: *times })), members)
                }
            };
            let times = if members.is_empty() { *times } else { 1 };
            rebuilt.push(Node { op, grid, span, times });
            reads.insert(id, (rebuilt.len() - 1, members));
        }
        match fed.get(&id).and_then(|class| reads.get(class)) {
            None => {}
            Some((read, members)) => match (&mut node.op, members.iter().position(|&member| member == id)) {
                (_, Some(part)) => {
                    node.op = Op::Part(*read, part);
                    node.times = 1;
                }
                (Op::Aggregate(aggregate), None) => aggregate.source = Source::Node(*read),
                // The selector itself.
                (_, None) => {
                    places.push(*read);
                    continue;
                }
            },
        }
        rebuilt.push(node);
        places.push(rebuilt.len() - 1);
    }
    Plan { nodes: rebuilt, root: places[root], applied }
}

/// The selector of each class as its last reader has it, and how often it would be read. The hint on groups
/// stays where all have the same.
fn last_scans(nodes: &[Node], fed: &HashMap<Id, Id>, times: &[u64]) -> HashMap<Id, (Scan, u64)> {
    let mut last: HashMap<Id, (Scan, u64)> = HashMap::new();
    for (id, node) in nodes.iter().enumerate() {
        let (Some(&class), Some(scan)) = (fed.get(&id), scan_of(&node.op)) else { continue };
        let (mut grouping, mut total) = (scan.grouping.clone(), times[id]);
        if let Some((before, times)) = last.get(&class) {
            grouping = grouping.filter(|grouping| before.grouping.as_ref() == Some(grouping));
            total = total.saturating_add(*times);
        }
        last.insert(class, (Scan { grouping, ..scan.clone() }, total));
    }
    last
}
