use super::*;

#[test]
fn logfmt_quotes_where_it_must() {
    let fields =
        [("level", "info".to_owned()), ("msg", "two words".into()), ("empty", String::new()), ("q", "a\"b\nc".into())];
    assert_eq!(logfmt(&fields), r#"level=info msg="two words" empty="" q="a\"b\nc""#);
}

#[test]
fn json_is_one_object_a_line() {
    let line = json(&[("level", "warn".to_owned()), ("msg", "a\nb".into())]);
    assert_eq!(line, r#"{"level":"warn","msg":"a\nb"}"#);
}
