use super::*;

fn symbols(texts: &[String]) -> Symbols {
    let mut symbols = Symbols::default();
    texts.iter().for_each(|text| symbols.push(text).unwrap());
    symbols
}

#[test]
fn all_are_found_in_any_order_and_others_are_not() {
    for count in [0, 1, 2, 3, 10, 257] {
        let texts: Vec<String> = (0..count).map(|i| format!("{:04}", 2 * i)).collect();
        let symbols = symbols(&texts);
        assert_eq!(symbols.len(), count);
        for step in [1, 7, 100, 255] {
            for k in 0..2 * count + 2 {
                let wanted = k * step % (2 * count + 2);
                let expected = (wanted % 2 == 0 && wanted < 2 * count).then_some(wanted as u32 / 2);
                assert_eq!(symbols.find(&format!("{wanted:04}")), expected, "{wanted} of {count}");
            }
        }
        assert_eq!(symbols.find(""), None);
        assert_eq!(symbols.find("z"), None);
    }
}

#[test]
fn symbols_that_do_not_ascend_are_refused() {
    let mut symbols = symbols(&[String::new(), "a".to_owned()]);
    for symbol in ["a", "", "B"] {
        assert!(matches!(symbols.push(symbol), Err(WriteError::Input(_))), "{symbol}");
    }
    symbols.push("b").unwrap();
    assert_eq!(symbols.get(2), b"b");
}
