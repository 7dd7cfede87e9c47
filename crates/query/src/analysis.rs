//! The engine's explanations in the form of the API.

use std::sync::Arc;

use api::{NodeTook, PlanNode, PlanTree};
use engine::{Explained, Explanation};

/// The plan of `query`; with `ran`, what its parts took.
pub(crate) fn tree(query: &str, explanation: &Explanation, ran: bool) -> PlanTree {
    let node = |node: &Explained| PlanNode {
        kind: node.kind,
        name: node.name.clone(),
        expr: query.get(node.span.start as usize..node.span.end as usize).unwrap_or("").to_owned(),
        steps: node.steps,
        inputs: node.inputs.clone(),
        took: ran.then(|| NodeTook {
            tally: Arc::clone(&node.tally),
            series_given: node.series_given(),
            values_held: node.values_held(),
        }),
    };
    PlanTree {
        nodes: explanation.nodes.iter().map(node).collect(),
        root: explanation.root,
        rewrites: explanation.rewrites.iter().map(|rewrite| rewrite.name()).collect(),
    }
}
