//! Pages that show what the querier reaches and how it answers, without scripts.

mod plan;

pub(crate) use plan::explain;

use std::fmt::Write;

use axum::extract::State;
use axum::response::Html;

use crate::querier::Querier;

/// The list of endpoints, and where the API is.
pub(crate) async fn status(State(querier): State<Querier>) -> Html<String> {
    let mut rows = String::new();
    for (kind, store) in querier.upstreams().statuses() {
        let sets: Vec<String> = store
            .label_sets
            .iter()
            .map(|set| {
                let pairs: Vec<String> = set.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
                escape(&format!("{{{}}}", pairs.join(", ")))
            })
            .collect();
        let health = store.last_error.as_deref().map_or("up".to_owned(), escape);
        // Writing to a string does not fail.
        let _infallible = writeln!(
            rows,
            "<tr><td>{}<td>{kind}<td>{health}<td>{}<td>{}<td>{}",
            escape(&store.name),
            sets.join("<br>"),
            api::format_rfc3339(store.min_time.max(0)),
            api::format_rfc3339(store.max_time.clamp(0, 253_402_300_799_000)),
        );
    }
    let prefix = escape(&querier.settings().route_prefix);
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>Esker query</title>\n\
         <style>body{{font:15px sans-serif;margin:2em}}td,th{{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}}</style>\n\
         <h1>Esker query</h1>\n\
         <form action=\"{prefix}/api/v1/query\"><input name=query size=80 placeholder=\"PromQL\"> <button>Evaluate</button>\n\
         <button formaction=\"{prefix}/explain\">Explain</button></form>\n\
         <h2>Stores</h2>\n<table><tr><th>Address<th>Kind<th>State<th>External labels<th>From<th>To\n{rows}</table>\n\
         <p>The API of Prometheus is at <code>{prefix}/api/v1</code>: give this address to Grafana as a Prometheus data source.\n\
         <p><a href=\"{prefix}/api/v1/stores\">stores</a> <a href=\"{prefix}/api/v1/labels\">labels</a> \
         <a href=\"{prefix}/api/v1/status/flags\">flags</a> <a href=\"/metrics\">metrics</a>\n"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
