use super::*;

#[test]
fn unknown_keys_are_named() {
    let error = HttpConfig::parse("basic_auth: {user: x}").unwrap_err();
    assert!(format!("{error:#}").contains("unknown field `user`"), "{error:#}");
}

#[test]
fn two_kinds_of_credentials_are_refused() {
    let error = HttpConfig::parse("basic_auth: {username: x, password: y}\nbearer_token: z").unwrap_err();
    assert!(error.to_string().contains("at most one of"), "{error}");
}

#[test]
fn the_empty_text_is_the_default() {
    assert_eq!(HttpConfig::parse(" \n").unwrap(), HttpConfig::default());
}
