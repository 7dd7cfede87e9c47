use block::Columns;
use futures::TryStreamExt;
use model::{Labels, Matcher, TimeRange};
use request::Context;

use crate::{Error, Grid, Queryable, Select};

/// Checks what the engine relies on: batches come sorted by labels over the whole stream, each label
/// set once, every one matched; timestamps ascend strictly; a second reading gives the same.
///
/// # Errors
/// What the source fails with.
///
/// # Panics
/// When something does not hold; this is for tests.
pub async fn check_queryable(
    source: &dyn Queryable,
    cx: &Context,
    matchers: Vec<Matcher>,
    samples: TimeRange,
) -> Result<(), Error> {
    let first = read(source, cx, &matchers, samples).await?;
    for pair in first.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} does not come before {}", pair[0].0, pair[1].0);
    }
    for (labels, columns) in &first {
        let value = |name: &str| labels.get(name).unwrap_or("").to_owned();
        assert!(matchers.iter().all(|m| m.matches(&value(&m.name))), "{labels} was not asked for");
        assert!(columns.t.is_sorted_by(|a, b| a < b), "the timestamps of {labels} do not ascend");
        assert!(columns.ht.is_sorted_by(|a, b| a < b), "the histograms' timestamps of {labels} do not ascend");
        assert_eq!((columns.t.len(), columns.ht.len()), (columns.v.len(), columns.h.len()), "columns of {labels}");
    }
    let second = read(source, cx, &matchers, samples).await?;
    assert_eq!(first.len(), second.len(), "two readings give different numbers of series");
    for ((labels, a), (other, b)) in first.iter().zip(&second) {
        assert_eq!((labels, &a.t, &a.ht), (other, &b.t, &b.ht), "two readings differ");
        assert!(a.v.iter().zip(&b.v).all(|(a, b)| a.to_bits() == b.to_bits()), "two readings of {labels} differ");
    }
    Ok(())
}

async fn read(
    source: &dyn Queryable,
    cx: &Context,
    matchers: &[Matcher],
    samples: TimeRange,
) -> Result<Vec<(Labels, Columns)>, Error> {
    let select = Select {
        matchers: matchers.to_vec(),
        samples,
        grid: Grid { start_ms: samples.max, end_ms: samples.max, step_ms: 1 },
        window_ms: samples.max.saturating_sub(samples.min),
        offset_ms: 0,
        func: String::new(),
        grouping: None,
        skip_chunks: false,
    };
    let mut batches = source.select(cx, select);
    let mut all = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        for i in 0..batch.len() {
            // What was in the columns before must not matter.
            let mut columns = Columns { t: vec![7], v: vec![7.0], ..Columns::default() };
            batch.decode(i, &mut columns)?;
            all.push((batch.labels(i).to_labels(), columns));
        }
    }
    Ok(all)
}
