//! Answers of the HTTP API, of either side, in one form.

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// `errorType` and the text.
    Refused {
        kind: String,
        text: String,
    },
    Given(Given),
}

/// A successful answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// `resultType`.
    pub kind: String,
    pub series: Vec<Series>,
    /// Sorted.
    pub warnings: Vec<String>,
    /// Sorted.
    pub infos: Vec<String>,
}

/// One series, or a scalar or string without labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Sorted by name.
    pub labels: Vec<(String, String)>,
    /// Ascending in time, floats before histograms at the same time.
    pub points: Vec<(i64, Point)>,
}

/// A value at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    Float(f64),
    Text(String),
    /// Count, sum, then rule, bounds and count of each populated bucket.
    Histogram(Vec<f64>),
}

impl Answer {
    /// From an answer's body.
    ///
    /// # Errors
    /// When it does not have the API's form.
    pub fn parse(body: &Json) -> Result<Self> {
        if body["status"] == "error" {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            return Ok(Self::Refused { kind: text("errorType"), text: text("error") });
        }
        let data = &body["data"];
        let kind = data["resultType"].as_str().context("no resultType")?.to_owned();
        let result = &data["result"];
        let series = match kind.as_str() {
            "scalar" => vec![Series { labels: Vec::new(), points: vec![float(result)?] }],
            "string" => {
                let text = Point::Text(result[1].as_str().context("no text")?.to_owned());
                vec![Series { labels: Vec::new(), points: vec![(time(&result[0])?, text)] }]
            }
            "vector" | "matrix" => {
                result.as_array().context("no series")?.iter().map(series).collect::<Result<Vec<_>>>()?
            }
            other => bail!("unknown type {other}"),
        };
        let notes = |name: &str| {
            let list = body[name].as_array().into_iter().flatten();
            let mut notes: Vec<String> = list.filter_map(|note| Some(note.as_str()?.to_owned())).collect();
            notes.sort_unstable();
            notes
        };
        Ok(Self::Given(Given { kind, series, warnings: notes("warnings"), infos: notes("infos") }))
    }
}

fn series(json: &Json) -> Result<Series> {
    let metric = json["metric"].as_object().context("no metric")?;
    let mut labels = metric
        .iter()
        .map(|(name, value)| Ok((name.clone(), value.as_str().context("a label")?.to_owned())))
        .collect::<Result<Vec<_>>>()?;
    labels.sort_unstable();
    let list = |one: &str, many: &str| {
        let many = json[many].as_array().into_iter().flatten();
        many.chain(json.get(one)).cloned().collect::<Vec<Json>>()
    };
    let mut points = Vec::new();
    for pair in list("value", "values") {
        points.push(float(&pair)?);
    }
    for pair in list("histogram", "histograms") {
        points.push((time(&pair[0])?, histogram(&pair[1])?));
    }
    points.sort_by_key(|(t, _)| *t);
    Ok(Series { labels, points })
}

fn time(json: &Json) -> Result<i64> {
    Ok((json.as_f64().context("a time is no number")? * 1000.0).round() as i64)
}

fn number(json: &Json) -> Result<f64> {
    let text = json.as_str().context("a number is no text")?;
    text.parse().with_context(|| format!("{text:?} is no number"))
}

fn float(pair: &Json) -> Result<(i64, Point)> {
    Ok((time(&pair[0])?, Point::Float(number(&pair[1])?)))
}

fn histogram(json: &Json) -> Result<Point> {
    let mut numbers = vec![number(&json["count"])?, number(&json["sum"])?];
    for bucket in json["buckets"].as_array().into_iter().flatten() {
        numbers.push(bucket[0].as_f64().context("a rule")?);
        for i in 1..4 {
            numbers.push(number(&bucket[i])?);
        }
    }
    Ok(Point::Histogram(numbers))
}
