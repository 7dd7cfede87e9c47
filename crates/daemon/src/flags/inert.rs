use anyhow::bail;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// A flag of Thanos that is understood but does nothing here. Each service lists its own in
/// `pub const INERT: &[Inert]`.
#[derive(Clone, Copy, Debug)]
pub struct Inert {
    /// Without the dashes.
    pub flag: &'static str,
    /// Why it has no effect, as the rest of "--flag has no effect: …".
    pub why: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Switch,
    Value,
    Refused,
}

impl Inert {
    /// A switch: `--flag`, `--no-flag`.
    #[must_use]
    pub const fn switch(flag: &'static str, why: &'static str) -> Self {
        Self { flag, why, kind: Kind::Switch }
    }

    /// A flag with a value, perhaps repeated.
    #[must_use]
    pub const fn value(flag: &'static str, why: &'static str) -> Self {
        Self { flag, why, kind: Kind::Value }
    }

    /// A flag with a value that must not be ignored (it guards access or changes answers): any value but an
    /// empty one ends the start with a message.
    #[must_use]
    pub const fn refused(flag: &'static str, why: &'static str) -> Self {
        Self { flag, why, kind: Kind::Refused }
    }

    /// Whether a value ends the start.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Refused)
    }
}

/// Those of every component.
pub const COMMON_INERT: &[Inert] = &[
    Inert::switch("enable-auto-gomemlimit", "there is no Go runtime; use --memory.limit"),
    Inert::value("auto-gomemlimit.ratio", "there is no Go runtime; use --memory.limit"),
    Inert::value("tracing.config", "traces are not exported"),
    Inert::value("tracing.config-file", "traces are not exported"),
    Inert::value("request.logging-config", "requests are not logged one by one"),
    Inert::value("request.logging-config-file", "requests are not logged one by one"),
    Inert::refused("http.config", "TLS and basic authentication for HTTP are not supported"),
    Inert::value("grpc-server-tls-min-version", "TLS 1.2 and 1.3 are spoken, older versions are not"),
    Inert::value("grpc-server-tls-ciphers", "the cipher suites of rustls are used, all of them strong"),
    Inert::value("grpc-server-tls-curves", "the curves of rustls are used"),
];

/// `command` with the flags of `list` that it does not have itself, hidden from its help.
#[must_use]
pub fn accept_inert(mut command: Command, list: &[Inert]) -> Command {
    for inert in list {
        if command.get_arguments().any(|a| a.get_long() == Some(inert.flag)) {
            continue;
        }
        let arg = Arg::new(inert.flag).long(inert.flag).hide(true);
        command = command.arg(match inert.kind {
            Kind::Switch => arg.action(ArgAction::SetTrue),
            Kind::Value | Kind::Refused => arg.action(ArgAction::Append),
        });
    }
    command
}

/// Warns of each flag of `list` that was given.
///
/// # Errors
/// When one that is refused was given.
pub fn report_inert(matches: &ArgMatches, list: &[Inert]) -> anyhow::Result<()> {
    for Inert { flag, why, kind } in list {
        if !matches!(matches.try_contains_id(flag), Ok(true))
            || matches.value_source(flag) != Some(ValueSource::CommandLine)
        {
            continue;
        }
        if *kind == Kind::Refused {
            let mut values = matches.try_get_many::<String>(flag).ok().flatten().into_iter().flatten();
            if values.any(|v| !v.is_empty()) {
                bail!("--{flag} cannot be honoured: {why}");
            }
            continue;
        }
        tracing::warn!(flag = format!("--{flag}"), "this flag has no effect: {why}");
    }
    Ok(())
}
