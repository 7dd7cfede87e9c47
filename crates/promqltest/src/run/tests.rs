use super::{Report, Tester};

fn run(script: &str) -> Report {
    Tester::default().run(script)
}

const LOAD: &str = "load 1m\n  m{a=\"1\"} 0+1x10\n  m{a=\"2\"} 5 _ 7 stale 9\n";

#[test]
fn what_is_expected_passes() {
    let script = format!(
        "{LOAD}
# comments and blank lines
eval instant at 2m m
  m{{a=\"1\"}} 2
  m{{a=\"2\"}} 7

eval range from 0 to 4m step 1m m
  expect no_warn
  m{{a=\"1\"}} 0 1 2 3 4
  m{{a=\"2\"}} 5 5 7 _ 9

eval instant at 5m sum(m)
  {{}} 14

eval instant at 5m scalar(sum(m))
  14

eval instant at 5m (\"foo\")
  expect string \"foo\"

eval instant at 2m m[1m]
  expect range vector from 2m to 2m step 1m
  m{{a=\"1\"}} 2
  m{{a=\"2\"}} 7

eval instant at 5m sort_desc(m)
  expect ordered
  m{{a=\"2\"}} 9
  m{{a=\"1\"}} 5

eval instant at 5m m + on() m
  expect fail regex: many-to-many

eval_fail instant at 5m m + on() m

clear

eval instant at 5m m
"
    );
    let report = run(&script);
    assert_eq!(report.failures, []);
    assert_eq!(report.passed, 10);
}

#[test]
fn one_changed_expectation_fails() {
    let check = |eval: &str, message: &str| {
        let report = run(&format!("{LOAD}\n{eval}\n"));
        assert_eq!((report.passed, report.failures.len()), (0, 1), "{eval}: {report:?}");
        assert_eq!(report.failures[0].line, 5, "{eval}");
        assert!(report.failures[0].message.contains(message), "{eval}: {}", report.failures[0].message);
    };
    check("eval instant at 2m sum(m)\n  {} 10", "expected 10 for {} but got 9");
    check("eval instant at 2m sum(m)", "unexpected metric {}");
    check("eval instant at 2m sum(m)\n  {} 9\n  {x=\"y\"} 1", "expected metric {x=\"y\"} with 1 not found");
    check("eval instant at 2m sum(m)\n  9", "expected scalar 9");
    check("eval instant at 2m scalar(sum(m))\n  {} 9", "expected vector or matrix");
    check("eval instant at 2m scalar(sum(m))\n  10", "expected scalar 10 but got 9");
    check("eval range from 0 to 2m step 1m sum(m)\n  {} 5 6 10", "(t=120000) for {} to be 10, but got 9");
    check("eval range from 0 to 2m step 1m sum(m)\n  {} 5 6 _", "expected 2 float points");
    check("eval instant at 5m \"a\"\n  expect string \"b\"", "expected string");
    check("eval instant at 5m sort(m)\n  expect ordered\n  m{a=\"2\"} 9\n  m{a=\"1\"} 5", "at position");
    check("eval instant at 2m sum(m)\n  expect fail\n  {} 9", "expected an error");
    check("eval instant at 2m m + on() m\n  expect fail msg: foo", "expected an error like message \"foo\"");
    check("eval instant at 2m m + on() m", "error evaluating");
    check("eval instant at 2m sum(m)\n  expect warn\n  {} 9", "expected warn annotations");
    check("eval instant at 2m quantile(2, m)\n  expect no_warn\n  {} Inf", "unexpected warn annotations");
    check("eval instant at 2m quantile(2, m)\n  expect warn msg: x\n  {} Inf", "expected warn annotation like");
    check("eval instant at 2m m[1m]\n  expect range vector from 2m to 2m step 1m\n  m{a=\"1\"} 3", "got 2");
    check("eval_fail instant at 2m sum(m)\n  {} 9", "expected an error");
    check("eval_fail instant at 2m m + on() m\n  expected_fail_message foo", "an error like message \"foo\"");
    check("eval_fail instant at 2m m + on() m\n  expected_fail_regexp ba+r", "an error like pattern \"ba+r\"");
    check("eval_warn instant at 2m sum(m)\n  {} 9", "expected warn annotations");
    check("eval_info instant at 2m sum(m)\n  {} 9", "expected info annotations");
    check("eval_ordered instant at 2m sort(m)\n  m{a=\"2\"} 7\n  m{a=\"1\"} 2", "at position");
    check("eval instant at 2m sum(m)\n  {} 10", "\n    - {} 10\n    + {} 9");
    check("eval range from 0 to 1m step 1m sum(m)\n  {} 5 _", "\n    - {} 5@0\n    + {} 5@0 6@60000");
    check("eval instant at 2m sum(\n  {} 1", "parse error");
    check("evil instant", "invalid command");
    let report = run("evil instant");
    assert_eq!(report.to_string(), "line 1: invalid command \"evil instant\"\n0 passed, 1 failed");
}
