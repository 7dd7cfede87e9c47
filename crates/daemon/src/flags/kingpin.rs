use std::any::TypeId;
use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// What came of a command line.
pub type Parsed = Result<ArgMatches, clap::Error>;

/// Parses `argv` (program name first) as kingpin would: every switch has a `--no-` form and takes `=true` and
/// `=false`. The error knows its exit code: 2 for a mistake, 0 for `--help` and `--version`.
pub fn parse(command: Command, argv: impl IntoIterator<Item = OsString>) -> Parsed {
    let command = switches(command);
    let mut names = BTreeSet::new();
    collect_switches(&command, &mut names);
    let argv: Vec<OsString> = argv
        .into_iter()
        .scan(false, |literal, arg| {
            *literal |= arg == "--";
            Some(if *literal { arg } else { positive(&names, arg) })
        })
        .collect();
    command.try_get_matches_from(argv)
}

/// `command`, below it all subcommands, with switches that take an optional `=true` or `=false`.
#[must_use]
pub fn switches(command: Command) -> Command {
    command.mut_args(|arg| if is_switch(&arg) { optional_value(arg) } else { arg }).mut_subcommands(switches)
}

fn is_switch(arg: &Arg) -> bool {
    let boolean = arg.get_value_parser().type_id() == TypeId::of::<bool>();
    matches!(arg.get_action(), ArgAction::SetTrue) || boolean && matches!(arg.get_action(), ArgAction::Set)
}

fn optional_value(arg: Arg) -> Arg {
    let defaults = !arg.get_default_values().is_empty() && matches!(arg.get_action(), ArgAction::Set);
    let arg = arg
        .action(ArgAction::Set)
        .value_parser(ValueParser::bool())
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("true|false")
        .hide_possible_values(true);
    if defaults { arg } else { arg.default_value("false").hide_default_value(true) }
}

fn collect_switches(command: &Command, names: &mut BTreeSet<String>) {
    let own = command.get_arguments().filter(|a| is_switch(a)).filter_map(Arg::get_long);
    names.extend(own.map(str::to_owned));
    for below in command.get_subcommands() {
        collect_switches(below, names);
    }
}

/// `--no-x` of a switch as `--x=false`; everything else as it is.
fn positive(names: &BTreeSet<String>, arg: OsString) -> OsString {
    let Some(text) = arg.to_str() else { return arg };
    match text {
        "--help-long" | "--help-man" => "--help".into(),
        _ => match text.strip_prefix("--no-") {
            Some(name) if names.contains(name) && !names.contains(&text[2..]) => format!("--{name}=false").into(),
            _ => arg,
        },
    }
}
