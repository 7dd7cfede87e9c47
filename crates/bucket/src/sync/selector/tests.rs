use block::Ulid;
use block::meta::Thanos;

use super::*;

fn meta(labels: &[(&str, &str)]) -> BlockMeta {
    let mut meta = BlockMeta::new(Ulid::from_string("01HF7YAT000000000000000001").expect("an id"), 0, 1);
    let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    meta.thanos = Some(Thanos { labels, ..Thanos::default() });
    meta
}

fn chooses(rules: &str, labels: &[(&str, &str)]) -> bool {
    Selector::parse(rules).expect("valid").chooses(&meta(labels), &[])
}

#[test]
fn rules_choose() {
    let eu_a = [("cluster", "eu"), ("replica", "a")];
    let check = |rules: &str, expected| assert_eq!(chooses(rules, &eu_a), expected, "{rules}");
    check("", true);
    check("[]", true);
    check("- {action: keep, source_labels: [cluster], regex: eu}", true);
    check("- {action: keep, source_labels: [cluster], regex: e}", false);
    check("- {action: KEEP, source_labels: [cluster, replica], regex: 'eu;a'}", true);
    check("- {action: keep, source_labels: [cluster, replica], separator: '', regex: 'eua'}", true);
    check("- {action: drop, source_labels: [cluster], regex: eu|us}", false);
    check("- {action: drop, source_labels: [nothing], regex: ''}", false);
    check("- {action: keep, source_labels: [nothing], regex: '.+'}", false);
    check("- {action: keep, source_labels: [__block_id], regex: '01HF7.*'}", true);
    check(
        "- {action: keep, source_labels: [cluster], regex: eu}\n- {action: drop, source_labels: [replica], regex: a}",
        false,
    );
    check("- action: keep", true);
}

/// The numbers are md5's, as Prometheus takes them.
#[test]
fn shards_are_prometheus_own() {
    let shard = |source: &str, expected: u64| {
        let rules = format!(
            "- {{action: hashmod, source_labels: [{source}], target_label: shard, modulus: 3}}\n\
             - {{action: keep, source_labels: [shard], regex: '{expected}'}}\n"
        );
        assert!(chooses(&rules, &[("cluster", "eu"), ("replica", "a")]), "{source} is in {expected}");
    };
    shard("__block_id", 11_177_165_408_084_087_994 % 3);
    shard("'cluster', 'replica'", 7_478_776_551_768_118_968 % 3);
    shard("nothing", 16_825_458_760_271_544_958 % 3);
}

#[test]
fn replica_labels_are_not_seen() {
    let rules = Selector::parse("- {action: keep, source_labels: [replica], regex: ''}").expect("valid");
    let block = meta(&[("cluster", "eu"), ("replica", "a")]);
    assert!(!rules.chooses(&block, &[]));
    assert!(rules.chooses(&block, &["replica".to_owned()]));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let check = |rules: &str, says: &str| {
        let message = Selector::parse(rules).expect_err(rules).to_string();
        assert!(message.contains(says) && message.contains("selector.relabel-config"), "{message:?}");
    };
    check("- {action: replace, target_label: a}", "rule 1: unsupported relabel action: replace");
    check("- {source_labels: [a]}", "unsupported relabel action: replace");
    check("- {action: keep}\n- {action: labeldrop, regex: a}", "rule 2: unsupported relabel action: labeldrop");
    check("- {action: shuffle}", "unknown relabel action \"shuffle\"");
    check("- {action: hashmod, target_label: a}", "non-zero modulus");
    check("- {action: hashmod, modulus: 2}", "'target_label'");
    check("- {action: keep, regex: '('}", "error parsing regexp");
    check("action: keep", "selector.relabel-config");
}

#[test]
fn flags() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("rules.yaml");
    std::fs::write(&path, "- {action: drop, source_labels: [a], regex: b}\n").expect("write");
    let args = |file: Option<&std::path::Path>, inline: Option<&str>| SelectorArgs {
        config_file: file.map(std::path::Path::to_owned),
        config: inline.map(str::to_owned),
    };
    assert_eq!(args(None, None).load().expect("none"), Selector::default());
    assert_eq!(args(None, Some("")).load().expect("empty"), Selector::default());
    assert!(!args(Some(&path), None).load().expect("file").chooses(&meta(&[("a", "b")]), &[]));
    let message = args(Some(&path), Some("[]")).load().expect_err("both").to_string();
    assert!(message.contains("both selector.relabel-config-file and selector.relabel-config flags set"), "{message}");
}
