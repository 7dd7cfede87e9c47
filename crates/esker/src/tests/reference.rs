//! `docs/flags.md` is what the command line says of itself.

use std::fmt::Write;
use std::path::Path;

use clap::Arg;

use super::*;

const HEAD: &str = "\
# Flags

What each command takes, as its `--help` says it too. Names are Thanos', where Thanos has the flag. A switch is set by `--flag`,
`--flag=true` or `--flag=false`, and taken back by `--no-flag`.
";

#[test]
fn the_reference_of_flags_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/flags.md");
    let fresh = reference();
    if std::env::var_os("ESKER_REGENERATE").is_some() {
        std::fs::write(&path, fresh).expect("write docs/flags.md");
        return;
    }
    let kept = std::fs::read_to_string(&path).expect("read docs/flags.md");
    let differs = fresh.lines().zip(kept.lines()).find(|(fresh, kept)| fresh != kept);
    assert!(fresh == kept, "docs/flags.md is out of date: run ESKER_REGENERATE=1 cargo test -p esker\n{differs:#?}");
}

fn reference() -> String {
    let mut root = Cli::command();
    root.build();
    let mut out = HEAD.to_owned();
    section(&mut out, "Every command", None, root.get_arguments());
    for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
        add(&mut out, command, "esker");
        let own = INERT.iter().find(|(name, _)| *name == command.get_name()).map_or(&[][..], |(_, list)| list);
        inert(&mut out, own);
    }
    out += "\n## Flags of Thanos that every command takes\n";
    inert(&mut out, COMMON_INERT);
    out
}

/// A command and those below it.
fn add(out: &mut String, command: &clap::Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let own = command.get_arguments().filter(|arg| !arg.is_global_set());
    section(out, &name, command.get_about().map(ToString::to_string), own);
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        add(out, below, &name);
    }
}

fn section<'a>(out: &mut String, title: &str, about: Option<String>, args: impl Iterator<Item = &'a Arg>) {
    write!(out, "\n## {title}\n").expect("write");
    if let Some(about) = about {
        write!(out, "\n{about}.\n").expect("write");
    }
    let shown = |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    let mut args = args.filter(shown).peekable();
    if args.peek().is_some() {
        *out += "\n| flag | default | |\n|---|---|---|\n";
    }
    for arg in args {
        let default: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        let default = default.join(",");
        let default = if default.is_empty() { default } else { format!("`{default}`") };
        let text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        writeln!(out, "| `{}` | {default} | {text}{} |", usage(arg), choices(arg)).expect("write");
    }
}

/// `--flag <VALUE>`.
fn usage(arg: &Arg) -> String {
    let takes_value = arg.get_action().takes_values() && !is_switch(arg);
    let values = arg.get_value_names().filter(|_| takes_value).unwrap_or_default();
    let values: String = values.iter().map(|v| format!(" <{v}>")).collect();
    let short = arg.get_short().map_or(String::new(), |short| format!("-{short}, "));
    match arg.get_long() {
        Some(long) => format!("{short}--{long}{values}"),
        None => values.trim_start().to_owned(),
    }
}

fn is_switch(arg: &Arg) -> bool {
    let values = arg.get_possible_values();
    values.len() == 2 && values.iter().all(|v| ["true", "false"].contains(&v.get_name()))
}

fn choices(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    let names: Vec<_> = values.iter().filter(|v| !v.is_hide_set()).map(|v| format!("`{}`", v.get_name())).collect();
    if names.is_empty() || is_switch(arg) { String::new() } else { format!(" ({})", names.join(", ")) }
}

fn inert(out: &mut String, list: &[Inert]) {
    for (refused, title) in [(false, "Taken without an effect:"), (true, "Refused when they are set:")] {
        let mut of_kind = list.iter().filter(|inert| inert.is_refused() == refused).peekable();
        if of_kind.peek().is_some() {
            write!(out, "\n{title}\n\n").expect("write");
        }
        for Inert { flag, why, .. } in of_kind {
            writeln!(out, "* `--{flag}`: {why}").expect("write");
        }
    }
}
