//! `info(v, {labels})`: the labels of info series, joined to the series of the same target.
//!
//! An info series and a series belong together when `instance` and `job` are the same. Of several info
//! series of one name the one with the newest sample counts; which one that is can change from step to step,
//! and with it the labels of the result.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use model::matcher::MatchOp;
use model::{Labels, LabelsBuilder, METRIC_NAME, Matcher};

use super::Run;
use crate::plan::Info;
use crate::vector::{Head, Vector, is_absent};
use crate::{Error, Grid};

/// What a target is known by.
const IDENTITY: [&str; 2] = ["instance", "job"];
/// The info metric where the call names none.
const DEFAULT_NAME: &str = "target_info";

/// Name and identity of an info metric.
type Signature<'a> = (&'a str, [&'a str; 2]);

impl Run<'_> {
    pub(super) async fn info(&mut self, info: Info, grid: &Grid) -> Result<Vector, Error> {
        let base = self.vector(info.input)?;
        let names = name_matchers(&info.labels)?;
        let wanted: Vec<&Matcher> = info.labels.iter().filter(|m| &*m.name != METRIC_NAME).collect();
        // Info series are not joined to each other.
        let is_info = |head: &Head| {
            let name = head.labels.get(METRIC_NAME).unwrap_or_default();
            names.iter().all(|m| m.matches(name))
        };
        let ignored: Vec<bool> = base.series.iter().map(is_info).collect();
        let targets = base.series.iter().zip(&ignored).filter(|(_, ignored)| !**ignored).map(|(head, _)| &head.labels);
        let found = match identities(targets)? {
            matchers if matchers.is_empty() => Vector::new(grid.len(), self.cx.memory())?,
            mut matchers => {
                matchers.extend(wanted.iter().map(|m| (*m).clone()));
                matchers.extend(names);
                let mut scan = info.scan;
                scan.matchers = matchers;
                self.scan_all(scan).await?
            }
        };
        let memory = self.cx.memory();
        let mut result = Vector::new(grid.len(), memory)?;
        let groups = Groups::new(&base, &found)?;
        let keeps_unmatched = wanted.iter().all(|m| m.matches_empty());
        let wanted: HashSet<&str> = wanted.iter().map(|m| &*m.name).collect();
        for (i, (head, row)) in base.rows().enumerate() {
            self.cx.check()?;
            if ignored[i] {
                result.push(head.clone(), row)?;
                continue;
            }
            let own = groups.of(&head.labels);
            // The result's series for each choice of info series met so far; none where it is dropped.
            let mut places: HashMap<Vec<usize>, Option<usize>> = HashMap::new();
            for (step, &value) in row.iter().enumerate().filter(|(step, _)| base.has_value(i, *step)) {
                let chosen: Vec<usize> = own.iter().filter_map(|group| groups.newest[*group][step]).collect();
                let place = match places.get(&chosen) {
                    Some(place) => *place,
                    None => {
                        let place = if chosen.is_empty() && !keeps_unmatched {
                            None
                        } else {
                            let labels = joined(&head.labels, &chosen, &found, &wanted)?;
                            result.push_absent(Head { labels, ..head.bare() })?;
                            Some(result.len() - 1)
                        };
                        places.insert(chosen, place);
                        place
                    }
                };
                if let Some(place) = place {
                    result.row_mut(place)[step] = value;
                    if let Some(h) = head.histogram(step) {
                        result.series[place].set_histogram(step, row.len(), Arc::clone(h));
                    }
                }
            }
        }
        result.drop_empty();
        result.merged(memory)
    }
}

/// The matchers on the name of info metrics; what only excludes names excludes them from `.+_info`.
fn name_matchers(labels: &[Matcher]) -> Result<Vec<Matcher>, Error> {
    let given: Vec<Matcher> = labels.iter().filter(|m| &*m.name == METRIC_NAME).cloned().collect();
    if given.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex)) {
        return Ok(given);
    }
    if given.is_empty() {
        return Ok(vec![Matcher::equal(METRIC_NAME, DEFAULT_NAME)]);
    }
    let mut names = vec![regex(METRIC_NAME, ".+_info".to_owned())?];
    names.extend(given);
    Ok(names)
}

/// Matchers for the identities of `targets`; none where no target has any.
fn identities<'a>(targets: impl Iterator<Item = &'a Labels>) -> Result<Vec<Matcher>, Error> {
    let mut values: [BTreeSet<&str>; 2] = [BTreeSet::new(), BTreeSet::new()];
    for labels in targets {
        for (name, values) in IDENTITY.iter().zip(&mut values) {
            values.extend(labels.get(name));
        }
    }
    let some = IDENTITY.iter().zip(values).filter(|(_, values)| !values.is_empty());
    some.map(|(name, values)| {
        let alternatives: Vec<String> = values.into_iter().map(quote).collect();
        regex(name, alternatives.join("|"))
    })
    .collect()
}

/// `text` as a pattern that matches just it.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

fn regex(name: &str, pattern: String) -> Result<Matcher, Error> {
    Matcher::new(MatchOp::Regex, name, pattern).map_err(|e| Error::Execution(e.to_string()))
}

fn identity(labels: &Labels) -> [&str; 2] {
    IDENTITY.map(|name| labels.get(name).unwrap_or_default())
}

/// Info series by name and identity.
struct Groups<'a> {
    places: HashMap<Signature<'a>, usize>,
    /// The names of info metrics, sorted.
    names: BTreeSet<&'a str>,
    /// For each group and step the info series with the newest sample.
    newest: Vec<Vec<Option<usize>>>,
}

impl<'a> Groups<'a> {
    /// Groups `found`, whose values are the times of the samples in seconds.
    fn new(base: &Vector, found: &'a Vector) -> Result<Self, Error> {
        let mut groups = Self { places: HashMap::new(), names: BTreeSet::new(), newest: Vec::new() };
        // Where there is nothing to join to, nothing is joined.
        let needed: Vec<bool> = (0..base.steps).map(|step| (0..base.len()).any(|i| base.has_value(i, step))).collect();
        for (i, (head, row)) in found.rows().enumerate() {
            let name = head.labels.get(METRIC_NAME).unwrap_or_default();
            groups.names.insert(name);
            let next = groups.newest.len();
            let place = *groups.places.entry((name, identity(&head.labels))).or_insert(next);
            if place == next {
                groups.newest.push(vec![None; found.steps]);
            }
            let newest = &mut groups.newest[place];
            for step in (0..row.len()).filter(|step| needed[*step] && !is_absent(row[*step])) {
                let Some(known) = newest[step] else {
                    newest[step] = Some(i);
                    continue;
                };
                let (old, new) = (found.row(known)[step], row[step]);
                if old == new {
                    let ms = (new * 1000.0).round();
                    let (existing, labels) = (&found.series[known].labels, &head.labels);
                    return Err(Error::Execution(format!(
                        "found duplicate series for info metric: existing {existing} @ {ms}, new {labels} @ {ms}"
                    )));
                }
                if new > old {
                    newest[step] = Some(i);
                }
            }
        }
        Ok(groups)
    }

    /// The groups of a series' identity, by name.
    fn of(&self, labels: &Labels) -> Vec<usize> {
        let identity = identity(labels);
        self.names.iter().filter_map(|name| self.places.get(&(*name, identity)).copied()).collect()
    }
}

/// The labels of a series and those that the chosen info series add.
fn joined(labels: &Labels, chosen: &[usize], found: &Vector, wanted: &HashSet<&str>) -> Result<Labels, Error> {
    let mut added: HashMap<&str, &str> = HashMap::new();
    for &i in chosen {
        for (name, value) in &found.series[i].labels {
            if name == METRIC_NAME || !(wanted.is_empty() || wanted.contains(name)) {
                continue;
            }
            if added.get(name).is_some_and(|known| *known != value) {
                return Err(Error::Execution(format!("conflicting label: {name}")));
            }
            // The series' own labels stay.
            if labels.get(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    let mut builder: LabelsBuilder = labels.iter().collect();
    for (name, value) in added {
        builder.set(name, value);
    }
    Ok(builder.build())
}
