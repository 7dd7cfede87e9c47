//! `$(NAME)` in configuration texts.

use thiserror::Error;

/// A text refers to a variable that has no value.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("found reference to unset environment variable {name:?}")]
pub struct Unset {
    pub name: String,
}

/// Replaces each `$(NAME)` in `text` by what `variable` gives for the name. Anything else that begins with
/// a dollar sign stays as it is.
///
/// # Errors
/// When a variable has no value.
pub fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, Unset> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("$(") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let name_len = after[2..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &after[2..2 + name_len];
        if name.is_empty() || after.as_bytes().get(2 + name_len) != Some(&b')') {
            out.push_str("$(");
            rest = &after[2..];
            continue;
        }
        out.push_str(&variable(name).ok_or_else(|| Unset { name: name.to_owned() })?);
        rest = &after[name_len + 3..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let variable = |name: &str| (name == "KEY_1").then(|| "s3cr3t".to_owned());
        let check = |text: &str, expected: &str| assert_eq!(expand(text, variable).expect(text), expected);
        check("a: $(KEY_1), b: $(KEY_1)", "a: s3cr3t, b: s3cr3t");
        check("$KEY_1 $(not closed $() $(a-b) $", "$KEY_1 $(not closed $() $(a-b) $");
        let message = expand("$(KEY_2)", variable).expect_err("unset").to_string();
        assert_eq!(message, "found reference to unset environment variable \"KEY_2\"");
    }
}
