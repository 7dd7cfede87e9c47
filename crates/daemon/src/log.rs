//! Logs on standard error: one line an event, in logfmt or JSON, with the keys `ts`, `level`, `caller`, `msg`.

use std::fmt::{self, Write as _};

use clap::ValueEnum;
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::now_ms;

/// The least severe level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Logfmt,
    Json,
    /// Written as logfmt: the journal adds its own fields.
    Journald,
}

/// Sends the process's events to standard error. The first call wins.
pub fn init(level: LogLevel, format: LogFormat, name: &str) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // What libraries say below a warning is about themselves.
    let foreign =
        ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tonic", "tower", "object_store", "hickory_resolver"];
    let filter = Targets::new().with_default(level).with_targets(foreign.map(|f| (f, level.min(LevelFilter::WARN))));
    let lines = Lines { json: format == LogFormat::Json, name: name.to_owned() };
    let layer = tracing_subscriber::fmt::layer().event_format(lines).with_writer(std::io::stderr);
    // An embedding program or an earlier test may have set its own.
    let _first_wins = tracing_subscriber::registry().with(filter).with(layer).try_init();
}

struct Lines {
    json: bool,
    name: String,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        let ts = Timestamp::from_millisecond(now_ms()).map_or_else(|_| String::new(), |t| format!("{t:.3}"));
        let mut all = vec![("ts", ts), ("level", level.to_owned())];
        if !self.name.is_empty() {
            all.push(("name", self.name.clone()));
        }
        all.push(("caller", event.metadata().target().to_owned()));
        all.push(("msg", fields.message));
        all.extend(fields.rest);
        let line = if self.json { json(&all) } else { logfmt(&all) };
        writeln!(writer, "{line}")
    }
}

fn logfmt(fields: &[(&str, String)]) -> String {
    let mut line = String::new();
    for (i, (key, value)) in fields.iter().enumerate() {
        if i > 0 {
            line.push(' ');
        }
        line.push_str(key);
        line.push('=');
        let plain = !value.is_empty() && value.chars().all(|c| c > ' ' && c != '=' && c != '"' && c != '\u{7f}');
        if plain {
            line.push_str(value);
        } else {
            model::quote::go_quote_into(&mut line, value.as_bytes());
        }
    }
    line
}

fn json(fields: &[(&str, String)]) -> String {
    let map = fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into()));
    serde_json::Value::Object(map.collect()).to_string()
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, String)>,
}

impl Fields {
    fn push(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            name => self.rest.push((name, text)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _infallible = write!(text, "{value:?}");
        self.push(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.push(field, value.to_string());
    }
}

#[cfg(test)]
mod tests;
