use crate::ApiError;
use crate::text::{parse_bool, quote};
use crate::time::{parse_duration, parse_time};

/// The parameters of one request: those of a form body first, then those of the query string, as
/// Go's `Request.Form` merges them. A parameter with an empty value counts as not given.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=b&c=d` forms: a form body, where there is one, and the query string of the URL.
    /// Bytes that are not UTF-8 after decoding are replaced.
    #[must_use]
    pub fn new(query: &str, form: Option<&str>) -> Self {
        let pairs = form.into_iter().chain([query]).flat_map(|text| text.split('&'));
        Self(
            pairs
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The first value of `name`, where it is given and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of `name`, e.g. of `match[]`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// An instant in Unix milliseconds.
    ///
    /// # Errors
    /// When it is neither seconds nor RFC 3339.
    pub fn time(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_time(text).map(Some).ok_or_else(|| {
            let why = format!("cannot parse {} to a valid timestamp", quote(text));
            ApiError::bad_param(name, why)
        })
    }

    /// A duration in milliseconds, in seconds or as `1h30m`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn duration(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_duration(text).map(Some).ok_or_else(|| {
            let why = format!("cannot parse {} to a valid duration", quote(text));
            ApiError::bad_param(name, why)
        })
    }

    /// # Errors
    /// When it is not one of Go's truth values.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_bool(text)
            .map(Some)
            .ok_or_else(|| ApiError::bad_param(name, format!("{} is neither true nor false", quote(text))))
    }

    /// A whole number, which may be negative.
    ///
    /// # Errors
    /// When it is not one.
    pub fn signed(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ApiError::bad_param(name, format!("{} is not a whole number", quote(text))))
    }

    /// A count; 0 means none given.
    ///
    /// # Errors
    /// When it is not a whole number from 0 on.
    pub fn count(&self, name: &str) -> Result<u64, ApiError> {
        let Some(text) = self.get(name) else { return Ok(0) };
        text.parse().map_err(|_| ApiError::bad_param(name, format!("{} is not a whole number from 0 on", quote(text))))
    }
}

/// Undoes percent encoding and `+` for a blank. A `%` that is not followed by two hexadecimal digits
/// stands for itself.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'+' => out.push(b' '),
            b'%' => match (hex(bytes.get(i + 1)), hex(bytes.get(i + 2))) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    i += 2;
                }
                _ => out.push(b'%'),
            },
            b => out.push(b),
        }
        i += 1;
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    char::from(*digit?).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests;
