//! Whether errors, warnings and infos are those that are expected.

use model::regex::Regex;
use request::Coverage;

use crate::script::{Eval, Expect, ExpectKind, Pattern};

/// Checks the error of a query that is expected to fail.
pub(super) fn failure(eval: &Eval, error: &str) -> Result<(), String> {
    for expect in eval.expects(ExpectKind::Fail) {
        if !matches(expect, error)? {
            return Err(format!("expected an error like {}, but got: {error}", describe(expect)));
        }
    }
    Ok(())
}

/// Checks the warnings and infos of a query.
pub(super) fn notes(eval: &Eval, coverage: &Coverage) -> Result<(), String> {
    let (warnings, infos) = (coverage.warnings(), coverage.infos());
    of_kind(eval, ExpectKind::Warn, ExpectKind::NoWarn, "warn", &warnings)?;
    of_kind(eval, ExpectKind::Info, ExpectKind::NoInfo, "info", &infos)
}

fn of_kind(eval: &Eval, some: ExpectKind, none: ExpectKind, name: &str, found: &[String]) -> Result<(), String> {
    if eval.has(none) && !found.is_empty() {
        return Err(format!("unexpected {name} annotations: {found:?}"));
    }
    if !eval.has(some) {
        return Ok(());
    }
    if found.is_empty() {
        return Err(format!("expected {name} annotations but none were found"));
    }
    let expects: Vec<&Expect> = eval.expects(some).filter(|e| !matches!(e.pattern, Pattern::Some)).collect();
    for expect in &expects {
        let mut any = false;
        for text in found {
            any |= matches(expect, text)?;
        }
        if !any {
            return Err(format!("expected {name} annotation like {}, found: {found:?}", describe(expect)));
        }
    }
    for text in found {
        let mut any = expects.is_empty();
        for expect in &expects {
            any |= matches(expect, text)?;
        }
        if !any {
            return Err(format!("unexpected {name} annotation {text:?}"));
        }
    }
    Ok(())
}

fn matches(expect: &Expect, text: &str) -> Result<bool, String> {
    Ok(match &expect.pattern {
        Pattern::Any | Pattern::Some => true,
        Pattern::Message(message) => message == text,
        // Anywhere in the text.
        Pattern::Regex(regex) => Regex::new(&format!(".*(?:{regex}).*")).map_err(|e| e.to_string())?.is_match(text),
    })
}

fn describe(expect: &Expect) -> String {
    match &expect.pattern {
        Pattern::Any | Pattern::Some => "any".to_owned(),
        Pattern::Message(message) => format!("message {message:?}"),
        Pattern::Regex(regex) => format!("pattern {regex:?}"),
    }
}
