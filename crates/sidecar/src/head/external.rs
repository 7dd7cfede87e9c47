use model::{Labels, METRIC_NAME, MatchOp, Matcher, TimeRange};

/// What is left for Prometheus to select.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    /// Never empty, and one of them does not match the empty string, as Prometheus demands.
    pub(super) matchers: Vec<Matcher>,
    /// The last matcher was added here because none was left that Prometheus would accept.
    added: bool,
    pub(super) range: TimeRange,
}

impl Selected {
    /// The matchers of the request alone.
    pub(super) fn given(&self) -> &[Matcher] {
        &self.matchers[..self.matchers.len() - usize::from(self.added)]
    }
}

/// Takes out the matchers on external labels. `None` where one does not hold, or the range is empty.
pub(super) fn select(external: &Labels, matchers: &[Matcher], range: TimeRange) -> Option<Selected> {
    if range.is_empty() {
        return None;
    }
    let mut rest = Vec::with_capacity(matchers.len() + 1);
    for matcher in matchers {
        match external.get(&matcher.name) {
            Some(value) if !matcher.matches(value) => return None,
            Some(_) => {}
            None => rest.push(matcher.clone()),
        }
    }
    let added = rest.iter().all(Matcher::matches_empty);
    if added {
        let any = Matcher::new(MatchOp::NotEqual, METRIC_NAME, "").ok()?;
        rest.push(any);
    }
    Some(Selected { matchers: rest, added, range })
}

/// `series` with `external` laid over it and without the labels in `without`, sorted by name.
pub(super) fn final_labels<'a>(
    series: impl Iterator<Item = (&'a str, &'a str)>,
    external: &'a Labels,
    without: &[String],
    out: &mut Vec<(&'a str, &'a str)>,
) {
    out.clear();
    let own = series.filter(|(n, _)| external.get(n).is_none());
    let kept = own.chain(external.iter()).filter(|(n, v)| !v.is_empty() && !without.iter().any(|w| w == n));
    out.extend(kept);
    out.sort_unstable_by_key(|(n, _)| *n);
}

#[cfg(test)]
mod tests;
