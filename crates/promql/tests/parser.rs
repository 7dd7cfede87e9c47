//! The parser and the printer against 2 322 expressions recorded from Prometheus.

use promql::{Options, parse};
use serde_json::Value;

/// Expressions where Esker differs on purpose, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

#[test]
fn agrees_with_prometheus() {
    let Some(rows) = golden::lines("promql/parser.jsonl") else { return };
    let (mut failures, mut exceptions) = (Vec::new(), 0);
    for row in &rows {
        let expr = row["expr"].as_str().expect("a row has an expression");
        if EXCEPTIONS.iter().any(|(e, _)| *e == expr) {
            exceptions += 1;
        } else if let Err(difference) = check(expr, row) {
            failures.push(format!("{expr:?}: {difference}"));
        }
    }
    assert_eq!(exceptions, EXCEPTIONS.len(), "each exception is a row");
    assert!(failures.is_empty(), "{} of {} differ:\n{}", failures.len(), rows.len(), failures.join("\n"));
    assert_eq!(rows.len(), 2322);
}

fn check(expr: &str, row: &Value) -> Result<(), String> {
    let stable = parse(expr, &Options::stable());
    if Some(stable.is_ok()) != row["valid_without_feature_flags"].as_bool() {
        return Err(format!("without flags: {stable:?}"));
    }
    match (parse(expr, &Options::default()), row["printed"].as_str(), row["error"].as_str()) {
        (Ok(ast), Some(printed), _) => {
            let text = ast.to_string();
            if text != printed {
                return Err(format!("printed {text:?}, not {printed:?}"));
            }
            let again =
                parse(&text, &Options::default()).map_err(|e| format!("printed {text:?} does not parse: {e}"))?;
            if again.to_string() != text {
                return Err(format!("printed {text:?}, then {again}"));
            }
            // Splitting lines changes nothing else.
            let pretty =
                parse(&ast.pretty(), &Options::default()).map_err(|e| format!("pretty does not parse: {e}"))?;
            if pretty.to_string() == text { Ok(()) } else { Err(format!("pretty means {pretty}")) }
        }
        (Err(e), _, Some(error)) if e.to_string() == error => Ok(()),
        (Err(e), _, error) => Err(format!("{e}, not {error:?}")),
        (Ok(ast), _, error) => Err(format!("printed {ast}, not {error:?}")),
    }
}
