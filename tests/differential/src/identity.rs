//! Esker against itself: the number of threads and the rewrites of the plan change no bit of an answer.

use std::sync::Arc;

use engine::{Queryable, Rewrite, Rewrites, Settings};
use request::{CpuPool, InlinePool};

use crate::esker::{Threads, bits};
use crate::query::Query;

/// What an answer must not depend on.
#[derive(Debug)]
pub struct Ways {
    alone: Arc<dyn CpuPool>,
    pools: [(usize, Arc<dyn CpuPool>); 2],
    rewrites: Vec<(String, Rewrites)>,
}

impl Default for Ways {
    fn default() -> Self {
        let mut rewrites = vec![("no rewrite".to_owned(), Rewrites::none())];
        rewrites.extend(Rewrite::ALL.iter().map(|&one| (format!("without {one:?}"), Rewrites::default().without(one))));
        Self {
            alone: Arc::new(InlinePool),
            pools: [2, 7].map(|n| (n, Arc::new(Threads::new(n)) as Arc<dyn CpuPool>)),
            rewrites,
        }
    }
}

impl Ways {
    /// The answer to `query` on one thread with all rewrites, once it has come out the same with 2 and with 7
    /// threads, with each rewrite off and with none.
    ///
    /// # Errors
    /// The way in which it came out otherwise, and both answers.
    pub fn agree(&self, query: &Query, source: &dyn Queryable, settings: Settings) -> Result<String, String> {
        let expected = bits(query, source, settings, &self.alone);
        let same = |way: &str, got: String| {
            if got == expected { Ok(()) } else { Err(format!("{way}: {got}\n  not {expected}")) }
        };
        for (threads, pool) in &self.pools {
            same(&format!("{threads} threads"), bits(query, source, settings, pool))?;
        }
        for (way, rewrites) in &self.rewrites {
            let settings = Settings { rewrites: *rewrites, ..settings };
            let got = bits(query, source, settings, &self.alone);
            if without_counts(&got) != without_counts(&expected) {
                same(way, got)?;
            }
        }
        Ok(expected)
    }
}

/// An answer but for how often and when its buckets were not monotonic: what does not depend on the step is looked at
/// once, or at each step where that rewrite is off, and the note counts so.
fn without_counts(answer: &str) -> String {
    let mut parts = answer.split(", over ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_counted = part.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(" samples from ");
        kept.push_str(", over ");
        kept.push_str(if is_counted { &part[part.find(" (").unwrap_or(part.len())..] } else { part });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_of_the_note_are_left_out() {
        let note = |samples: u32, to: &str, at: &str| {
            format!(
                "[] [\"a max diff of 2, over {samples} samples from 2023-11-14T23:25:00Z to {to} ({at})\", \"b, over it\"]"
            )
        };
        let one = note(1, "2023-11-14T23:25:00Z", "1:25");
        assert_eq!(without_counts(&one), without_counts(&note(10, "2023-11-14T23:34:13Z", "1:25")));
        assert_ne!(without_counts(&one), without_counts(&note(1, "2023-11-14T23:25:00Z", "1:26")));
        assert_eq!(without_counts("[1.0], over 3 (1:2)"), "[1.0], over 3 (1:2)");
    }
}
