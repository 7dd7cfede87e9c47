use clap::{Args, FromArgMatches, Subcommand};

use super::*;

#[derive(Debug, clap::Parser)]
#[command(name = "prog", version)]
struct Cli {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    Serve(Serve),
}

#[derive(Args, Debug)]
struct Serve {
    #[command(flatten)]
    http: HttpArgs,
    #[arg(long = "wait")]
    wait: bool,
    #[arg(long = "query.partial-response", default_value_t = true, action = clap::ArgAction::Set)]
    partial: bool,
    #[arg(long = "label")]
    labels: Vec<LabelFlag>,
    #[arg(long = "min-time", default_value = "0000-01-01T00:00:00Z")]
    min_time: TimeOrDuration,
}

const INERT: &[Inert] = &[Inert::switch("old-switch", "gone"), Inert::refused("secret-file", "not supported")];

fn matches(line: &str) -> Parsed {
    use clap::CommandFactory;
    let command = Cli::command().mut_subcommand("serve", |c| accept_inert(accept_inert(c, INERT), COMMON_INERT));
    parse(command, line.split_whitespace().map(Into::into))
}

fn serve(line: &str) -> Serve {
    let Role::Serve(args) = Cli::from_arg_matches(&matches(line).unwrap()).unwrap().role;
    args
}

#[test]
fn switches_have_negations_and_values() {
    let check = |line: &str, expected: (bool, bool)| {
        let args = serve(&format!("prog serve {line}"));
        assert_eq!((args.wait, args.partial), expected, "{line}");
    };
    check("", (false, true));
    check("--wait", (true, true));
    check("--wait=true --no-query.partial-response", (true, false));
    check("--wait=false --query.partial-response=false", (false, false));
    check("--no-wait --query.partial-response", (false, true));
}

#[test]
fn values_come_with_or_without_equals_and_process_flags_anywhere() {
    let args = serve(
        "prog --log.level=debug serve --http-address :1 --label=a=\"b\" --label c=`d` --min-time=-2w --log.format json",
    );
    assert_eq!(args.http.http_address, ":1");
    assert_eq!(args.labels.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"a="b""#, r#"c="d""#]);
    assert_eq!(args.min_time.at(2_000_000_000), 2_000_000_000 - 14 * 86_400_000);
}

#[test]
fn mistakes_exit_with_2_and_help_with_0() {
    for bad in [
        "prog serve --unknown",
        "prog",
        "prog serve --label=a=b",
        "prog serve --min-time=yesterday",
        "prog serve extra",
    ] {
        assert_eq!(matches(bad).unwrap_err().exit_code(), 2, "{bad}");
    }
    for good in ["prog --help", "prog serve --help-long", "prog --version"] {
        assert_eq!(matches(good).unwrap_err().exit_code(), 0, "{good}");
    }
}

#[test]
fn inert_flags_are_taken_and_refused_ones_name_themselves() {
    let report = |line: &str| report_inert(matches(line).unwrap().subcommand_matches("serve").unwrap(), INERT);
    report("prog serve --old-switch").unwrap();
    report("prog serve --no-old-switch --enable-auto-gomemlimit --secret-file=").unwrap();
    let refused = report("prog serve --secret-file=x").unwrap_err();
    assert_eq!(refused.to_string(), "--secret-file cannot be honoured: not supported");
}

#[test]
fn go_durations() {
    let ms = |text: &str| text.parse::<GoDuration>().map(GoDuration::ms).ok();
    assert_eq!(ms("1h30m"), Some(5_400_000));
    assert_eq!(ms("1.5s"), Some(1500));
    assert_eq!(ms("-300ms"), Some(-300));
    assert_eq!(ms("0"), Some(0));
    for bad in ["", "2d", "1", "s", "1h30", "-", "9999999h"] {
        assert_eq!(ms(bad), None, "{bad}");
    }
}

#[test]
fn model_durations_know_days() {
    assert_eq!("15d".parse::<ModelDuration>().unwrap().ms(), 15 * 86_400_000);
    let error = "-1h".parse::<ModelDuration>().unwrap_err().to_string();
    assert_eq!(error, "not a valid duration string: \"-1h\"");
}

#[test]
fn times_are_fixed_or_relative() {
    let at = |text: &str| text.parse::<TimeOrDuration>().unwrap().at(1_000_000);
    assert_eq!(at("1970-01-01T00:00:01Z"), 1000);
    assert_eq!(at("-1s"), 999_000);
    assert!(at("0000-01-01T00:00:00Z") < at("9999-12-31T23:59:59Z"));
}

#[test]
fn bytes_are_powers_of_1024() {
    let bytes = |text: &str| text.parse::<Bytes>().ok().map(|b| b.0);
    assert_eq!(bytes("250MB"), Some(250 << 20));
    assert_eq!(bytes("1.5GiB"), Some(3 << 29));
    assert_eq!(bytes("2g"), Some(2 << 30));
    assert_eq!(bytes("17"), Some(17));
    for bad in ["", "MB", "1XB", "-1", "1e3", "99999EB", "1iB"] {
        assert_eq!(bytes(bad), None, "{bad}");
    }
    assert_eq!((Bytes(250 << 20).to_string(), Bytes(1000).to_string()), ("250MiB".into(), "1000B".into()));
}

#[test]
fn labels_are_quoted_as_in_go() {
    let value = |text: &str| text.parse::<LabelFlag>().ok().map(|l| l.value);
    assert_eq!(value(r#"a="x\ty\x41\u00e9\101""#), Some("x\tyAéA".into()));
    assert_eq!(value("a=`raw\\n`"), Some("raw\\n".into()));
    for bad in ["a", "=\"b\"", "a=b", "a=\"b", r#"a="\q""#, r#"a="\xff""#, "a=\"b\"c\""] {
        assert_eq!(value(bad), None, "{bad}");
    }
}
