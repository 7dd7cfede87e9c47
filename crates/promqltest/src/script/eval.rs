use model::Labels;

use super::{Lines, ScriptError};
use crate::number::parse_number;
use crate::series::{SequenceValue, parse_series};

/// `eval` and what it expects.
#[derive(Clone, Debug)]
pub struct Eval {
    /// From 1.
    pub line: usize,
    pub expr: String,
    pub steps: Steps,
    pub expected: Expected,
    pub expects: Vec<Expect>,
}

/// When a query is evaluated, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// The result that is expected.
#[derive(Clone, Debug)]
pub enum Expected {
    Scalar(f64),
    String(String),
    /// Series with their values in the order written.
    Series {
        series: Vec<(Labels, Vec<SequenceValue>)>,
        /// An instant query that gives a matrix: start, end and step of its values.
        range: Option<(i64, i64, i64)>,
    },
}

/// A line `expect …` or the older `eval_fail` and the like.
#[derive(Clone, Debug)]
pub struct Expect {
    pub kind: ExpectKind,
    pub pattern: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectKind {
    Ordered,
    Fail,
    Warn,
    NoWarn,
    Info,
    NoInfo,
}

/// What a message has to be.
#[derive(Clone, Debug)]
pub enum Pattern {
    Any,
    /// At least one message of any wording, and others may be there.
    Some,
    Message(String),
    /// A regular expression that some part of the message matches.
    Regex(String),
}

impl Eval {
    pub(crate) fn expects(&self, kind: ExpectKind) -> impl Iterator<Item = &Expect> {
        self.expects.iter().filter(move |e| e.kind == kind)
    }

    pub(crate) fn has(&self, kind: ExpectKind) -> bool {
        self.expects(kind).next().is_some()
    }
}

pub(super) fn parse(at: usize, line: &str, lines: &mut Lines<'_>) -> Result<Eval, ScriptError> {
    let mut eval = head(at, line)?;
    if let Err(e) = promql::parse(&eval.expr, &promql::Options::default()) {
        return Err(ScriptError::new(at, e.to_string()));
    }
    let expr = eval.expr.clone();
    let fail = |message: String| ScriptError::new(at, format!("error in eval {expr} (line {}): {message}", at + 1));
    let (mut series, mut range) = (Vec::new(), None);
    // `eval_fail` may have another line that says how.
    let is_eval_fail = eval.has(ExpectKind::Fail);
    while let Some((at, line)) = lines.next_of_command() {
        if is_eval_fail && let Some(message) = line.strip_prefix("expected_fail_message") {
            eval.expects.push(Expect { kind: ExpectKind::Fail, pattern: Pattern::Message(message.trim().to_owned()) });
            break;
        } else if is_eval_fail && let Some(regex) = line.strip_prefix("expected_fail_regexp") {
            eval.expects.push(Expect { kind: ExpectKind::Fail, pattern: Pattern::Regex(regex.trim().to_owned()) });
            break;
        } else if let Some(definition) = line.strip_prefix("expect range vector") {
            range = Some(range_vector(definition).map_err(fail)?);
        } else if let Some(text) = line.strip_prefix("expect string") {
            eval.expected = Expected::String(quoted(text.trim()).ok_or_else(|| {
                fail("expected string literal not valid - check that the string is correctly quoted".to_owned())
            })?);
        } else if line.split(' ').next() == Some("expect") {
            let expect = expectation(line).map_err(fail)?;
            eval.expects.push(expect);
            contradictions(&eval.expects).map_err(fail)?;
        } else if let Some(value) = parse_number(line) {
            // Nothing follows a scalar.
            eval.expected = Expected::Scalar(value);
            break;
        } else {
            let (labels, values) = parse_series(line).map_err(|e| ScriptError::new(at, e))?;
            if values.len() > 1 && range.is_none() && matches!(eval.steps, Steps::Instant(_)) {
                let message = "expecting multiple values in instant evaluation not allowed. consider using 'expect \
                               range vector' directive to enable a range vector result for an instant query";
                return Err(fail(message.to_owned()));
            }
            series.retain(|(known, _): &(Labels, _)| *known != labels);
            series.push((labels, values));
        }
    }
    if let Expected::Series { series: expected, range: steps } = &mut eval.expected {
        (*expected, *steps) = (series, range);
    }
    if let (Some((_, end, _)), Steps::Instant(time)) = (range, &mut eval.steps) {
        *time = end;
    }
    Ok(eval)
}

/// `eval instant at <time> <expr>` or `eval range from <start> to <end> step <step> <expr>`.
fn head(at: usize, line: &str) -> Result<Eval, ScriptError> {
    let wrong = || {
        ScriptError::new(
            at,
            "invalid evaluation command. Must be either 'eval[_fail|_warn|_ordered] instant [at <offset:duration>] \
             <query>' or 'eval[_fail|_warn] range from <from> to <to> step <step> <query>'",
        )
    };
    let (word, rest) = next_word(line);
    let mut expects = Vec::new();
    let mut expect = |kind, pattern| expects.push(Expect { kind, pattern });
    match word {
        "eval" => {}
        "eval_fail" => expect(ExpectKind::Fail, Pattern::Any),
        "eval_warn" => expect(ExpectKind::Warn, Pattern::Some),
        "eval_info" => expect(ExpectKind::Info, Pattern::Some),
        "eval_ordered" => expect(ExpectKind::Ordered, Pattern::Any),
        _ => return Err(wrong()),
    }
    let (kind, rest) = next_word(rest);
    let (steps, rest) = match kind {
        "instant" if next_word(rest).0 == "at" => {
            let (time, rest) = keyed_time(at, "at", rest)?;
            (Steps::Instant(time), rest)
        }
        "instant" => (Steps::Instant(0), rest),
        "range" => {
            let (start, rest) = keyed_time(at, "from", rest)?;
            let (end, rest) = keyed_time(at, "to", rest)?;
            let (step, rest) = keyed_time(at, "step", rest)?;
            if end < start {
                return Err(ScriptError::new(at, "invalid test definition, end timestamp is before start timestamp"));
            }
            (Steps::Range { start, end, step }, rest)
        }
        _ => return Err(wrong()),
    };
    if rest.is_empty() {
        return Err(wrong());
    }
    let expected = Expected::Series { series: Vec::new(), range: None };
    Ok(Eval { line: at + 1, expr: rest.to_owned(), steps, expected, expects })
}

/// A word that must be `key`, then a time; gives what follows them.
fn keyed_time<'a>(at: usize, key: &str, text: &'a str) -> Result<(i64, &'a str), ScriptError> {
    let (word, rest) = next_word(text);
    if word != key {
        return Err(ScriptError::new(at, format!("invalid evaluation command: expected {key:?}, not {word:?}")));
    }
    let (time, rest) = next_word(rest);
    let invalid = |e| ScriptError::new(at, format!("invalid timestamp definition {time:?}: {e}"));
    Ok((model::duration::parse(time).map_err(invalid)?, rest))
}

fn next_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// `from <start> to <end> step <step>`.
fn range_vector(definition: &str) -> Result<(i64, i64, i64), String> {
    let words: Vec<&str> = definition.split_whitespace().collect();
    let invalid = || format!("invalid range vector definition {definition:?}");
    let ["from", start, "to", end, "step", step] = words[..] else { return Err(invalid()) };
    let time = |text| model::duration::parse(text).map_err(|e| e.to_string());
    Ok((time(start)?, time(end)?, time(step)?))
}

/// `expect <kind> [<match>: <text>]`.
fn expectation(line: &str) -> Result<Expect, String> {
    let invalid = || "invalid expect statement, must match `expect <type> <match_type>: <string>` format".to_owned();
    let (kind, rest) = next_word(line.strip_prefix("expect").ok_or_else(invalid)?);
    let kind = match kind {
        "ordered" => ExpectKind::Ordered,
        "fail" => ExpectKind::Fail,
        "warn" => ExpectKind::Warn,
        "no_warn" => ExpectKind::NoWarn,
        "info" => ExpectKind::Info,
        "no_info" => ExpectKind::NoInfo,
        _ => return Err(invalid()),
    };
    let pattern = if rest.is_empty() {
        Pattern::Any
    } else {
        match rest.split_once(':') {
            Some(("msg", text)) if !text.is_empty() => Pattern::Message(text.trim().to_owned()),
            Some(("regex", text)) if !text.is_empty() => Pattern::Regex(text.trim().to_owned()),
            _ => return Err(invalid()),
        }
    };
    Ok(Expect { kind, pattern })
}

fn contradictions(expects: &[Expect]) -> Result<(), String> {
    let count = |kind| expects.iter().filter(|e| e.kind == kind).count();
    if count(ExpectKind::Info) > 0 && count(ExpectKind::NoInfo) > 0 {
        return Err("invalid expect lines, info and no_info cannot be used together".to_owned());
    }
    if count(ExpectKind::Warn) > 0 && count(ExpectKind::NoWarn) > 0 {
        return Err("invalid expect lines, warn and no_warn cannot be used together".to_owned());
    }
    if count(ExpectKind::Fail) > 1 {
        return Err("invalid expect lines, multiple expect fail lines are not allowed".to_owned());
    }
    Ok(())
}

/// The text in quotes or backticks.
fn quoted(text: &str) -> Option<String> {
    let ast = promql::parse(text, &promql::Options::default()).ok()?;
    match ast.kind(ast.root()) {
        promql::Kind::String(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    }
}
