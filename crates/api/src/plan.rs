//! Plans of queries as a tree: JSON as Thanos' explain and analyze give it, with more fields, and text.

use std::sync::Arc;
use std::time::Duration;

use request::{Tally, Took};

use crate::text::write_str;

/// A query's plan, and what its parts took where it has run.
#[derive(Clone, Debug, Default)]
pub struct PlanTree {
    /// Each after those it reads.
    pub nodes: Vec<PlanNode>,
    pub root: Option<usize>,
    /// What was done to the plan to save work, by name.
    pub rewrites: Vec<&'static str>,
}

/// One part of a plan.
#[derive(Clone, Debug, Default)]
pub struct PlanNode {
    pub kind: &'static str,
    pub name: String,
    /// The part of the query it comes from.
    pub expr: String,
    pub steps: usize,
    /// What it reads: places in [`PlanTree::nodes`].
    pub inputs: Vec<usize>,
    pub took: Option<NodeTook>,
}

/// What a node that has run took.
#[derive(Clone, Debug, Default)]
pub struct NodeTook {
    /// Itself, without its inputs; its parts are the stores that were asked, and theirs the blocks, or the
    /// stores that a querier asked in turn.
    pub tally: Arc<Tally>,
    /// Series it gave.
    pub series_given: u64,
    /// Values that the query held when it was done.
    pub values_held: u64,
}

/// Text is indented to this depth.
const DEPTH_MAX: usize = 60;

/// A node where it stands in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its place in [`PlanTree::nodes`].
    pub node: usize,
    /// 0 for the root.
    pub depth: usize,
    parent: Option<usize>,
    /// It stands further up already, with all that it reads.
    pub again: bool,
}

impl PlanTree {
    /// The answer of `query_explain`: `{name, kind, expr, steps, children}`, and `rewrites` at the root.
    pub fn write_plan(&self, out: &mut Vec<u8>) {
        self.write_tree(out, |_, _, _| {});
    }

    /// The object `analysis`: Thanos' `{name, executionTime, peakSamples, totalSamples, fanout, children}`,
    /// whose numbers include the children's, and what the node itself took; `rewrites` at the root.
    pub fn write_analysis(&self, out: &mut Vec<u8>) {
        let visits = self.visits();
        let totals = self.totals(&visits);
        self.write_tree(out, move |out, node, place| {
            let Some(took) = &node.took else { return };
            let (own, total) = (took.tally.took(), &totals[place]);
            field_text(out, "executionTime", &go_duration(total.time));
            field(out, "peakSamples", took.values_held);
            field(out, "totalSamples", total.samples);
            field_text(out, "ownTime", &go_duration(own.time));
            if own.cpu > Duration::ZERO {
                field_text(out, "cpuTime", &go_duration(own.cpu));
            }
            for (name, value) in [("series", own.series), ("chunks", own.chunks), ("samples", own.samples)] {
                if value > 0 {
                    field(out, name, value);
                }
            }
            if own.bytes > 0 {
                field(out, "bytes", own.bytes);
            }
            field(out, "seriesGiven", took.series_given);
            field(out, "memoryPeakBytes", own.memory_peak);
            let stores = took.tally.parts();
            if !stores.is_empty() {
                write_stores(out, &stores);
            }
        });
    }

    /// Indented lines: the plan and, where it has run, what each part took.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for visit in self.visits() {
            let node = &self.nodes[visit.node];
            let indent = "  ".repeat(visit.depth.min(DEPTH_MAX));
            if visit.again {
                text += &format!("{indent}{}: {} (as above)\n", node.kind, node.name);
                continue;
            }
            text += &format!("{indent}{}: {}", node.kind, node.name);
            let Some(took) = &node.took else {
                text += &format!("  [{} steps]\n", node.steps);
                continue;
            };
            text += &format!("  [{}; gives {} series]\n", in_words(&took.tally.took()), took.series_given);
            let mut open: Vec<_> = took.tally.parts().into_iter().rev().map(|part| (part, 2)).collect();
            while let Some((part, depth)) = open.pop() {
                let kind = if is_block(&part) { "block" } else { "from" };
                let (indent, name) = ("  ".repeat((visit.depth + depth).min(DEPTH_MAX)), part.name());
                text += &format!("{indent}{kind} {name}  [{}]\n", in_words(&part.took()));
                open.extend(part.parts().into_iter().rev().map(|part| (part, depth + 1)));
            }
        }
        if !self.rewrites.is_empty() {
            text += &format!("rewrites: {}\n", self.rewrites.join(", "));
        }
        text
    }

    /// `rewrites` of the root.
    fn write_rewrites(&self, out: &mut Vec<u8>) {
        key(out, "rewrites");
        for (i, name) in self.rewrites.iter().enumerate() {
            out.push(if i == 0 { b'[' } else { b',' });
            write_str(out, name);
        }
        out.extend_from_slice(if self.rewrites.is_empty() { b"[]" } else { b"]" });
    }

    /// The tree from the root down. A part that several others read stands below the first.
    #[must_use]
    pub fn visits(&self) -> Vec<Visit> {
        let mut seen = vec![false; self.nodes.len()];
        let mut visits: Vec<Visit> = Vec::with_capacity(self.nodes.len());
        let mut open: Vec<_> = self.root.iter().map(|&root| (root, 0, None)).collect();
        while let Some((node, depth, parent)) = open.pop() {
            let again = std::mem::replace(&mut seen[node], true);
            let place = visits.len();
            visits.push(Visit { node, depth, parent, again });
            if !again {
                open.extend(self.nodes[node].inputs.iter().rev().map(|&input| (input, depth + 1, Some(place))));
            }
        }
        visits
    }

    /// What each visited node took together with all below it.
    fn totals(&self, visits: &[Visit]) -> Vec<Took> {
        let own = |visit: &Visit| match &self.nodes[visit.node].took {
            Some(took) if !visit.again => took.tally.took(),
            _ => Took::default(),
        };
        let mut totals: Vec<Took> = visits.iter().map(own).collect();
        for place in (0..visits.len()).rev() {
            let Some(parent) = visits[place].parent else { continue };
            let Took { time, samples, .. } = totals[place];
            totals[parent].time += time;
            totals[parent].samples += samples;
        }
        totals
    }

    fn write_tree(&self, out: &mut Vec<u8>, more: impl Fn(&mut Vec<u8>, &PlanNode, usize)) {
        let visits = self.visits();
        if visits.is_empty() {
            return out.extend_from_slice(b"{}");
        }
        let mut depth = 0;
        for (place, visit) in visits.iter().enumerate() {
            if place > 0 {
                let first = visits[place].depth == visits[place - 1].depth + 1;
                out.extend_from_slice(if first { b",\"children\":[" } else { b"}" });
                // A node ends all that is as deep as it or deeper.
                for _ in visit.depth..depth {
                    out.extend_from_slice(b"]}");
                }
                if !first {
                    out.push(b',');
                }
            }
            depth = visit.depth;
            let node = &self.nodes[visit.node];
            out.extend_from_slice(b"{\"name\":");
            write_str(out, &node.name);
            field_text(out, "kind", node.kind);
            field(out, "id", visit.node as u64);
            if place == 0 {
                self.write_rewrites(out);
            }
            if visit.again {
                out.extend_from_slice(b",\"seeAbove\":true");
                continue;
            }
            field_text(out, "expr", &node.expr);
            field(out, "steps", node.steps as u64);
            more(out, node, place);
        }
        out.push(b'}');
        for _ in 0..depth {
            out.extend_from_slice(b"]}");
        }
    }
}

/// The field `fanout`: what each store took, with its blocks, or the stores that it asked itself.
fn write_stores(out: &mut Vec<u8>, stores: &[Arc<Tally>]) {
    write_parts(out, "fanout", "endpointAddr", stores, |out, store| {
        let (blocks, stores): (Vec<_>, Vec<_>) = store.parts().into_iter().partition(|part| is_block(part));
        if !stores.is_empty() {
            write_stores(out, &stores);
        }
        if !blocks.is_empty() {
            write_parts(out, "blocks", "id", &blocks, |_, _| {});
        }
    });
}

fn write_parts(
    out: &mut Vec<u8>,
    field: &str,
    name: &str,
    parts: &[Arc<Tally>],
    more: impl Fn(&mut Vec<u8>, &Arc<Tally>),
) {
    key(out, field);
    for (i, part) in parts.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",{\"" } else { b"[{\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        write_str(out, part.name());
        let took = part.took();
        field_text(out, "duration", &go_duration(took.time));
        write_took(out, &took);
        more(out, part);
        out.push(b'}');
    }
    out.push(b']');
}

/// Blocks are named by their ULIDs, stores by addresses.
fn is_block(part: &Tally) -> bool {
    let name = part.name();
    name.len() == 26 && name.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

fn write_took(out: &mut Vec<u8>, took: &Took) {
    field(out, "bytesProcessed", took.bytes);
    field(out, "numResponses", took.responses);
    field(out, "series", took.series);
    field(out, "chunks", took.chunks);
    field(out, "samples", took.samples);
    if took.requests > 0 {
        field(out, "bytesFetched", took.fetched_bytes);
        field(out, "requests", took.requests);
    }
}

fn in_words(took: &Took) -> String {
    let mut words = vec![go_duration(took.time)];
    if took.cpu > Duration::ZERO {
        words.push(format!("cpu {}", go_duration(took.cpu)));
    }
    let counts = [
        (took.series, "series"),
        (took.chunks, "chunks"),
        (took.samples, "samples"),
        (took.bytes, "bytes"),
        (took.fetched_bytes, "bytes fetched"),
        (took.requests, "reads"),
        (took.memory_peak, "bytes of memory at most"),
    ];
    words.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    words.join(", ")
}

fn field(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn field_text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    write_str(out, value);
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// As Go prints durations: `0s`, `950ns`, `12.5µs`, `1.5ms`, `2.25s`.
#[must_use]
pub fn go_duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    let (unit, scale) = match ns {
        0 => return "0s".to_owned(),
        1..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let digits = format!("{}", scale).len() - 1;
    let fraction = format!("{:0digits$}", ns % scale);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}{unit}", ns / scale)
}

#[cfg(test)]
mod tests;
