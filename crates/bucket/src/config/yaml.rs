//! YAML as Go's parser takes it, where serde's is stricter.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::{Error, Result};

/// The first document of a text that may hold several; later ones are ignored, as Thanos does.
pub(super) fn first_document<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T> {
    let document = serde_yaml::Deserializer::from_str(text).next();
    let document = document.ok_or_else(|| Error::Config("the YAML is empty".to_owned()))?;
    T::deserialize(document).map_err(|e| Error::Config(e.to_string()))
}

/// A boolean in YAML 1.1's words as well (`yes`, `on`, `n`, …).
pub(super) fn boolean<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a boolean")]
    enum Given {
        Bool(bool),
        Word(String),
    }
    match Given::deserialize(from)? {
        Given::Bool(value) => Ok(value),
        Given::Word(word) => match word.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "true" => Ok(true),
            "n" | "no" | "off" | "false" => Ok(false),
            _ => Err(D::Error::custom(format!("{word:?} is not a boolean"))),
        },
    }
}

/// A Prometheus duration (`1m30s`).
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let ms = model::duration::parse(&text).map_err(D::Error::custom)?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

/// Text whose value may look like a number (`access_key: 12345`).
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected text")]
    enum Given {
        Text(String),
        Int(i64),
        Unsigned(u64),
        Bool(bool),
        Nothing(()),
    }
    Ok(match Given::deserialize(from)? {
        Given::Text(text) => text,
        Given::Int(number) => number.to_string(),
        Given::Unsigned(number) => number.to_string(),
        Given::Bool(value) => value.to_string(),
        Given::Nothing(()) => String::new(),
    })
}
