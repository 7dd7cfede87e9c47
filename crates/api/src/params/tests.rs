use super::Params;

#[test]
fn form_and_query_string_are_merged_and_decoded() {
    let p = Params::new(
        "query=ignored&match[]=a&match%5B%5D=b%7Bc%3D%22d%22%7D&empty=",
        Some("query=rate(up%5B5m%5D)+%2B+1"),
    );
    assert_eq!(p.get("query"), Some("rate(up[5m]) + 1"));
    assert_eq!(p.all("match[]").collect::<Vec<_>>(), ["a", "b{c=\"d\"}"]);
    assert_eq!(p.get("empty"), None);
    assert_eq!(p.get("absent"), None);
}

#[test]
fn odd_encodings_are_taken_as_they_are() {
    let p = Params::new("a=100%&b=%zz&c=%ff&&d", None);
    assert_eq!(p.get("a"), Some("100%"));
    assert_eq!(p.get("b"), Some("%zz"));
    assert_eq!(p.get("c"), Some("\u{fffd}"));
    assert_eq!(p.get("d"), None);
}

#[test]
fn wrong_values_name_the_parameter() {
    let p = Params::new("time=notatime&step=x&dedup=maybe&limit=-1", None);
    let message = |e: crate::ApiError| e.message.into_owned();
    assert_eq!(
        p.time("time").map_err(message),
        Err("invalid parameter \"time\": cannot parse \"notatime\" to a valid timestamp".to_owned())
    );
    assert_eq!(
        p.duration("step").map_err(message),
        Err("invalid parameter \"step\": cannot parse \"x\" to a valid duration".to_owned())
    );
    assert_eq!(
        p.flag("dedup").map_err(message),
        Err("invalid parameter \"dedup\": \"maybe\" is neither true nor false".to_owned())
    );
    assert!(p.count("limit").is_err());
}
