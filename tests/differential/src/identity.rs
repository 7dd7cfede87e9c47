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
            same(way, bits(query, source, settings, &self.alone))?;
        }
        Ok(expected)
    }
}
