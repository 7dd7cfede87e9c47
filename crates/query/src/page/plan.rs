//! The plan of a query as a table: a row for each part, indented below what reads it, with what it took.

use std::fmt::Write;
use std::time::Duration;

use api::{ApiError, NodeTook, Params, PlanTree, go_duration};
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use request::{Tally, Took};

use super::escape;
use crate::asked::Asked;
use crate::params::Evaluation;
use crate::querier::{Given, Planned, Querier};

/// Parts that are shown; a query may have a hundred thousand.
const ROWS_MAX: usize = 1000;
/// They are indented to this depth.
const DEPTH_MAX: usize = 40;

const STYLE: &str = "body{font:15px sans-serif;margin:2em;max-width:100em}\
    input{font:14px monospace;padding:.3em}input[name=query]{width:min(60em,95%)}label{margin-right:1em}\
    table{border-collapse:collapse;margin-top:1.5em}th{text-align:left;font-weight:600;border-bottom:1px solid #999}\
    td,th{padding:.3em 1em .3em 0;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
    tr:nth-child(even){background:#8881}.k{font-size:12px;padding:.1em .4em;border-radius:.3em;background:#8883}\
    .e,summary,.p{color:#777;font-size:13px}code{font:13px monospace}.bar{height:.35em;background:#e6803c;min-width:1px}\
    .w{background:#fd65;padding:.6em 1em;border-radius:.3em}:root{color-scheme:light dark}";

/// `explain`: a form, and the plan of the query that it holds.
pub(crate) async fn explain(State(querier): State<Querier>, request: Request) -> Response {
    let prefix = escape(&querier.settings().route_prefix);
    let asked = match Asked::read(request).await {
        Ok(asked) => asked,
        Err(e) => return page(&prefix, &Params::default(), &complaint(&e), StatusCode::BAD_REQUEST),
    };
    let Asked { params, client } = asked;
    if params.get("query").is_none() {
        return page(&prefix, &params, "", StatusCode::OK);
    }
    let evaluation = if params.get("start").is_some() || params.get("end").is_some() {
        Evaluation::range(&params, querier.settings())
    } else {
        Evaluation::instant(&params, querier.settings(), daemon::now_ms())
    };
    let planned = match evaluation {
        Ok(evaluation) => querier.plan(evaluation, client).await,
        Err(e) => Err(e),
    };
    match planned {
        Ok(Planned { plan, given }) => {
            let given = given.as_ref().map_or(String::new(), words);
            page(&prefix, &params, &(given + &table(&plan)), StatusCode::OK)
        }
        Err(e) => {
            let status = StatusCode::from_u16(e.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            page(&prefix, &params, &complaint(&e), status)
        }
    }
}

/// What a query gave, and what there is to say of it.
fn words(given: &Given) -> String {
    let Given { kind, series, took, notes } = given;
    let time = |took| go_duration(rounded(took));
    let (all, waiting) = (time(took.eval + took.queue), time(took.queue));
    let mut out = format!("<p>A {kind} of {series} series in {all}, of which {waiting} waiting; ");
    let read = if took.samples == 0 { "no".to_owned() } else { grouped(took.samples) };
    out += &format!("{read} samples were read.\n");
    for note in notes.warnings.iter().chain(&notes.infos) {
        out += &format!("<p class=w>{}\n", escape(note));
    }
    out
}

fn complaint(e: &ApiError) -> String {
    format!("<p class=w>{}\n", escape(&e.message))
}

fn page(prefix: &str, params: &Params, content: &str, status: StatusCode) -> Response {
    let value = |name| escape(params.get(name).unwrap_or(""));
    let field = |name, hint| {
        format!("<label>{name} <input name={name} size=22 value=\"{}\" placeholder=\"{hint}\"></label>\n", value(name))
    };
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Explain · Esker query</title>\n<style>{STYLE}</style>\n\
         <h1><a href=\"{prefix}/\">Esker query</a>: explain</h1>\n\
         <form><p><input name=query aria-label=query value=\"{}\" placeholder=PromQL autofocus>\n<p>{}{}{}\
         <button>Explain</button> <button name=analyze value=true>Run and analyze</button></form>\n{content}</html>\n",
        value("query"),
        field("start", "now, if empty"),
        field("end", "RFC 3339 or seconds"),
        field("step", "e.g. 1m"),
    );
    (status, Html(html)).into_response()
}

fn table(plan: &PlanTree) -> String {
    let visits = plan.visits();
    let ran = plan.nodes.iter().any(|node| node.took.is_some());
    let own = |took: &Option<NodeTook>| took.as_ref().map(|took| took.tally.took()).unwrap_or_default();
    let all: Duration = plan.nodes.iter().map(|node| own(&node.took).time).sum();
    let mut out = "<table><tr><th>Part<th class=n>Steps".to_owned();
    if ran {
        out += "<th>Time<th class=n>CPU<th class=n>Series<th class=n>Samples<th class=n>Bytes<th class=n>Memory peak";
        out += "<th class=n>Gives series";
    }
    out.push('\n');
    for visit in visits.iter().take(ROWS_MAX) {
        let (node, indent) = (&plan.nodes[visit.node], visit.depth.min(DEPTH_MAX) * 2);
        // Writing to a string does not fail, here and below.
        let _infallible = write!(
            out,
            "<tr><td style=\"padding-left:{indent}em\"><span class=k>{}</span> <code>{}</code>",
            node.kind,
            escape(&node.name)
        );
        if visit.again {
            out += " <span class=e>as above</span><td>\n";
            continue;
        }
        if !node.expr.is_empty() && node.expr != node.name {
            let _infallible = write!(out, "<div class=e><code>{}</code></div>", escape(&node.expr));
        }
        stores(&mut out, &node.took);
        let _infallible = write!(out, "<td class=n>{}", node.steps);
        if let Some(took) = &node.took {
            numbers(&mut out, &own(&node.took), all, took.series_given);
        }
        out.push('\n');
    }
    out += "</table>\n";
    if visits.len() > ROWS_MAX {
        let _infallible = writeln!(out, "<p>{} more parts are not shown.", visits.len() - ROWS_MAX);
    }
    if !plan.rewrites.is_empty() {
        let _infallible = writeln!(out, "<p class=p>Rewrites that saved work: {}.", plan.rewrites.join(", "));
    }
    out
}

fn numbers(out: &mut String, own: &Took, all: Duration, given: u64) {
    let share = 100.0 * own.time.as_secs_f64() / all.as_secs_f64().max(1e-9);
    let _infallible = write!(
        out,
        "<td>{}<div class=bar style=\"width:{share:.1}%\" title=\"{share:.0} % of the time\"></div>\
         <td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{given}",
        go_duration(rounded(own.time)),
        if own.cpu.is_zero() { String::new() } else { go_duration(rounded(own.cpu)) },
        grouped(own.series),
        grouped(own.samples),
        grouped(own.bytes),
        grouped(own.memory_peak),
    );
}

/// What each store and block gave a selector, folded.
fn stores(out: &mut String, took: &Option<NodeTook>) {
    let stores = took.as_ref().map(|took| took.tally.parts()).unwrap_or_default();
    if stores.is_empty() {
        return;
    }
    let line = |out: &mut String, name: &str, part: &Tally, indent: u32| {
        let took = part.took();
        let _infallible = write!(
            out,
            "<div class=p style=\"padding-left:{indent}em\"><code>{}</code> {}, {} series, {} chunks, {} bytes</div>",
            escape(name),
            go_duration(rounded(took.time)),
            grouped(took.series),
            grouped(took.chunks),
            grouped(took.bytes)
        );
    };
    let _infallible = write!(out, "<details><summary>stores: {}</summary>", stores.len());
    for store in &stores {
        line(out, store.name(), store, 1);
        for block in store.parts() {
            line(out, block.name(), &block, 2);
        }
    }
    *out += "</details>";
}

/// To three digits or so.
fn rounded(time: Duration) -> Duration {
    let unit = match time.as_nanos() {
        0..1_000_000 => 1_000,
        1_000_000..1_000_000_000 => 10_000,
        _ => 10_000_000,
    };
    Duration::from_nanos(u64::try_from(time.as_nanos() / unit * unit).unwrap_or(u64::MAX))
}

/// `12 345 678`, blank for 0.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    if n == 0 {
        return String::new();
    }
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}
