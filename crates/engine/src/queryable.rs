use std::fmt::Debug;
use std::ops::Range;

use block::{Columns, Corrupt};
use futures::stream::BoxStream;
use model::{LabelsRef, Matcher, TimeRange};
use request::{Context, Interrupted, MemoryExceeded};
use thiserror::Error;

/// All that the evaluator knows of the world.
pub trait Queryable: Debug + Send + Sync {
    /// Logical series (replicas already side by side), still encoded, sorted by labels over the whole
    /// stream, each label set once. Lazy; dropping the stream ends the work below it.
    fn select(&self, cx: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>>;
}

/// One batch of series: a virtual call per series, none per sample.
pub trait Encoded: Debug + Send + Sync {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn labels(&self, i: usize) -> LabelsRef<'_>;

    /// Replaces what is in `out` by the samples of series `i`, deduplicated, ascending in time. Pure
    /// CPU work on the caller's thread. Samples outside the selector's range may be among them.
    ///
    /// # Errors
    /// When a chunk is damaged.
    fn decode(&self, i: usize, out: &mut Columns) -> Result<(), Corrupt>;

    /// Replaces what is in `out` by the samples of the first of `series`, as many as are best decoded in one
    /// go, at least one; gives how many.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), for the first series that is damaged.
    fn decode_run(&self, series: Range<usize>, out: &mut Decoded) -> Result<usize, Corrupt> {
        out.clear();
        self.decode(series.start, &mut out.push_apart(1)[0])?;
        Ok(1)
    }
}

/// Samples of several series. Reused from run to run.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Floats without start timestamps of series that have nothing else, one behind the other.
    pub together: Columns,
    places: Vec<Place>,
    apart: Vec<Columns>,
    apart_used: usize,
}

/// Where a series' samples are.
#[derive(Clone, Debug)]
enum Place {
    Together(Range<usize>),
    Apart(usize),
}

/// The samples of one series.
#[derive(Debug)]
pub enum Samples<'a> {
    /// Times and values, and nothing else.
    Floats(&'a [i64], &'a [f64]),
    Columns(&'a mut Columns),
}

impl Decoded {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.together.clear();
        self.places.clear();
        self.apart_used = 0;
    }

    /// The samples of the next series are these of [`together`](Self::together).
    pub fn push(&mut self, floats: Range<usize>) {
        self.places.push(Place::Together(floats));
    }

    /// Columns for the next series by themselves, one each, with whatever is in them.
    pub fn push_apart(&mut self, count: usize) -> &mut [Columns] {
        let own = self.apart_used..self.apart_used + count;
        self.places.extend(own.clone().map(Place::Apart));
        self.apart_used = own.end;
        if self.apart.len() < own.end {
            self.apart.resize_with(own.end, Columns::new);
        }
        &mut self.apart[own]
    }

    /// The samples of series `i` of those that were decoded.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn series(&mut self, i: usize) -> Samples<'_> {
        match &self.places[i] {
            Place::Together(at) => Samples::Floats(&self.together.t[at.clone()], &self.together.v[at.clone()]),
            Place::Apart(number) => Samples::Columns(&mut self.apart[*number]),
        }
    }

    /// How many bytes of memory the samples take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.apart.iter().chain([&self.together]).map(Columns::bytes).sum()
    }
}

/// What is evaluated, not what is fetched: the implementation widens it to deduplication cells, or
/// keeps it as the fetch window.
#[derive(Clone, Debug)]
pub struct Select {
    pub matchers: Vec<Matcher>,
    /// Samples that the evaluation can touch: closed, offset and `@` applied, the window or lookback
    /// included (left-open windows excluded their first instant already).
    pub samples: TimeRange,
    /// The evaluation steps, before offset and `@`.
    pub grid: Grid,
    /// The range of the range selector in milliseconds; 0 for an instant selector.
    pub window_ms: i64,
    pub offset_ms: i64,
    /// The function applied directly to the selector, e.g. `rate`; empty where none is.
    pub func: String,
    pub grouping: Option<SelectGrouping>,
    /// Labels only: no sample will be decoded.
    pub skip_chunks: bool,
}

/// Steps `start, start + step, … ≤ end` in Unix milliseconds; an instant query has `start == end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub start_ms: i64,
    pub end_ms: i64,
    /// Positive; any value for a single step.
    pub step_ms: i64,
}

impl Grid {
    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.end_ms < self.start_ms {
            return 0;
        }
        usize::try_from((self.end_ms - self.start_ms) / self.step_ms.max(1)).map_or(usize::MAX, |n| n.saturating_add(1))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The time of step `i`.
    #[must_use]
    pub fn at(&self, i: usize) -> i64 {
        self.start_ms + i as i64 * self.step_ms
    }
}

/// The labels of the aggregation directly above a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectGrouping {
    pub by: bool,
    pub labels: Vec<String>,
}

/// Why samples could not be had.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The query is wrong or not supported; the text says where. HTTP: `bad_data`.
    #[error("{0}")]
    BadQuery(String),
    /// Evaluation failed for these data, e.g. many-to-many matching. HTTP: `execution`.
    #[error("{0}")]
    Execution(String),
    /// The query, or the process, holds too much memory. HTTP: `execution`.
    #[error(transparent)]
    Memory(#[from] MemoryExceeded),
    /// The query would hold more values than it may (`--query.max-samples`). HTTP: `execution`.
    #[error("{0}")]
    Samples(String),
    /// A limit of the storage below was reached; it is named. HTTP: `execution`.
    #[error("{0}")]
    Exhausted(String),
    /// The storage below failed. HTTP: `internal` or `execution`.
    #[error("{0}")]
    Storage(String),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
