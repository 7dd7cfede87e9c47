use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

#[test]
fn pairs_come_out_sorted_unique_and_without_empty_values() {
    let l = labels(&[("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
    assert_eq!(l.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3")]);
    assert_eq!(l.to_string(), r#"{a="1", b="3"}"#);
    assert_eq!(l.get("c"), None);
}

#[test]
fn a_prefix_comes_before_its_extensions_and_values_before_later_names() {
    let order = [
        labels(&[]),
        labels(&[("a", "1")]),
        labels(&[("a", "1"), ("b", "1")]),
        labels(&[("a", "1"), ("c", "0")]),
        labels(&[("a", "10")]),
        labels(&[("b", "0")]),
    ];
    let mut sorted = order.to_vec();
    sorted.reverse();
    sorted.sort();
    assert_eq!(sorted, order);
}

#[test]
fn a_table_gives_back_what_went_in_and_shares_symbols() {
    let mut builder = LabelTableBuilder::new();
    let sets = [labels(&[("a", "x"), ("b", "x")]), labels(&[]), labels(&[("a", "y")])];
    for set in &sets {
        builder.push(set);
    }
    let table = builder.finish();
    assert_eq!(table.iter().map(LabelsRef::to_labels).collect::<Vec<_>>(), sets);
    assert_eq!(table.symbols().len(), 4);
    assert!(table.get(0) < table.get(2));
}
