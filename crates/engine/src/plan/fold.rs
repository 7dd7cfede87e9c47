//! Constants: what is computed from constants alone is computed now, and what nothing reads any more goes.

use super::{Id, Node, Op, Plan, Rewrite};
use crate::exec::combine_scalars;

/// The plan with scalars between constants as constants.
pub(super) fn fold(plan: Plan) -> Plan {
    let Plan { mut nodes, root, mut applied } = plan;
    for id in 0..nodes.len() {
        let constant = |id: Id| match nodes[id].op {
            Op::Number(v) => Some(v),
            _ => None,
        };
        let folded = match nodes[id].op {
            Op::Scalars(op, lhs, rhs) => constant(lhs).zip(constant(rhs)).map(|(lhs, rhs)| (op, lhs, rhs)),
            Op::Repeat(input) => {
                if let Some(v) = constant(input) {
                    nodes[id].op = Op::Number(v);
                    applied = applied.with(Rewrite::Fold);
                }
                None
            }
            _ => None,
        };
        if let Some((op, lhs, rhs)) = folded
            && let [v] = *combine_scalars(op, &[lhs], &[rhs])
        {
            nodes[id].op = Op::Number(v);
            applied = applied.with(Rewrite::Fold);
        }
    }
    sweep(Plan { nodes, root, applied })
}

/// Leaves out constants and scalars that nothing reads. What reads data stays, even if its value goes nowhere:
/// it may have something to say, or be an error.
fn sweep(plan: Plan) -> Plan {
    let Plan { mut nodes, root, applied } = plan;
    let mut needed = vec![false; nodes.len()];
    needed[root] = true;
    for id in (0..nodes.len()).rev() {
        let pure = matches!(nodes[id].op, Op::Number(_) | Op::Scalars(..) | Op::Fused);
        needed[id] |= !pure;
        if needed[id] {
            nodes[id].op.each_input(&mut |input| needed[*input] = true);
        }
    }
    // Constants come first: what needs nothing else can then be begun before its turn.
    let (mut kept, mut places): (Vec<Node>, Vec<Id>) = (Vec::with_capacity(nodes.len()), vec![0; nodes.len()]);
    let mut others = Vec::new();
    for (id, (node, needed)) in nodes.into_iter().zip(needed).enumerate() {
        match node.op {
            _ if !needed => {}
            Op::Number(_) => {
                places[id] = kept.len();
                kept.push(node);
            }
            _ => others.push((id, node)),
        }
    }
    for (id, mut node) in others {
        places[id] = kept.len();
        node.op.each_input(&mut |input| *input = places[*input]);
        kept.push(node);
    }
    Plan { nodes: kept, root: places[root], applied }
}
