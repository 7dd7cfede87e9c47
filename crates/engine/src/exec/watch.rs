//! What parts of a query take, noted where somebody asked: two looks at the clock for a node and for a
//! job, none for a series or a sample.

use std::sync::Arc;
use std::time::Duration;

use request::{Context, Took};

use super::{Data, Run};
use crate::plan::Id;
use crate::vector::Vector;

/// A node that runs.
pub(super) struct NodeWatch {
    begun: Duration,
    /// What the selector fused into it had taken before.
    scanned: Duration,
}

impl Run<'_> {
    /// Begins to watch the next node.
    pub(super) fn watch(&self) -> Option<NodeWatch> {
        let explanation = self.explanation?;
        explanation.node(self.slots.len())?;
        let _before = self.cx.memory().take_high();
        Some(NodeWatch { begun: self.cx.timer().elapsed(), scanned: self.scanned(self.slots.len()) })
    }

    /// Notes what the last node took.
    pub(super) fn note(&self, watch: Option<NodeWatch>) {
        let (Some(watch), Some(explanation), Some(id)) = (watch, self.explanation, self.slots.len().checked_sub(1))
        else {
            return;
        };
        let Some(node) = explanation.node(id) else { return };
        let all = self.cx.timer().elapsed().saturating_sub(watch.begun);
        // What a fused selector took is noted with it.
        let fused = self.scanned(id).saturating_sub(watch.scanned);
        let own = explanation.scan(id).is_some_and(|scan| std::ptr::eq(scan, node));
        let memory_peak = self.cx.memory().take_high();
        let time = all.saturating_sub(fused);
        node.tally.add(Took { time, memory_peak, ..Took::default() });
        let given = match self.slots.last().and_then(Option::as_ref) {
            Some(Data::Vector(vector) | Data::Steps(vector, _)) => vector.len(),
            Some(Data::Matrix(series, _)) => series.len(),
            Some(Data::Scalar(_) | Data::Text(_)) => 1,
            Some(Data::Several(parts)) => parts.iter().flatten().map(Vector::len).sum(),
            None => 0,
        };
        node.done(given, self.held);
        if let Some(scan) = explanation.scan(id)
            && !own
        {
            scan.tally.add(Took { memory_peak, ..Took::default() });
        }
    }

    /// The time that the selector of a node has taken so far.
    fn scanned(&self, id: usize) -> Duration {
        self.explanation.and_then(|e| e.scan(id)).map_or(Duration::ZERO, |scan| scan.tally.took().time)
    }

    /// The context for the selector of the node that runs.
    pub(super) fn scan_context(&self, id: Id) -> Context {
        match self.explanation.and_then(|e| e.scan(id)) {
            Some(scan) => self.cx.counted_in(Arc::clone(&scan.tally)),
            None => self.cx.clone(),
        }
    }
}

/// A selector that is read; what its reader does with the rows does not count.
pub(super) struct ScanWatch<'a> {
    /// `None` where nobody asked.
    cx: Option<&'a Context>,
    since: Duration,
    took: Duration,
}

impl<'a> ScanWatch<'a> {
    pub(super) fn begin(cx: &'a Context) -> Self {
        let mut watch = Self { cx: cx.tally().is_some().then_some(cx), since: Duration::ZERO, took: Duration::ZERO };
        watch.go_on();
        watch
    }

    pub(super) fn pause(&mut self) {
        if let Some(cx) = self.cx {
            self.took += cx.timer().elapsed().saturating_sub(self.since);
        }
    }

    pub(super) fn go_on(&mut self) {
        if let Some(cx) = self.cx {
            self.since = cx.timer().elapsed();
        }
    }

    pub(super) fn end(mut self) {
        self.pause();
        if let Some(tally) = self.cx.and_then(Context::tally) {
            tally.add(Took { time: self.took, ..Took::default() });
        }
    }
}

/// A job on the CPU pool.
pub(super) struct JobWatch<'a> {
    cx: &'a Context,
    begun: Duration,
}

impl<'a> JobWatch<'a> {
    pub(super) fn begin(cx: &'a Context) -> Self {
        let begun = if cx.tally().is_some() { cx.timer().elapsed() } else { Duration::ZERO };
        Self { cx, begun }
    }

    /// Counts the series and samples it read, for the request and, with its time, for the selector.
    pub(super) fn end(self, series: usize, samples: u64) {
        let series = series as u64;
        self.cx.stats().add_series(series);
        self.cx.stats().add_samples(samples);
        if let Some(tally) = self.cx.tally() {
            let cpu = self.cx.timer().elapsed().saturating_sub(self.begun);
            tally.add(Took { cpu, series, samples, ..Took::default() });
        }
    }
}
