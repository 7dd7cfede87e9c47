use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;

/// Why a request ended before its answer was complete.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Interrupted {
    /// The client went away or an operator ended the query. Nobody reads the answer.
    #[error("query was canceled")]
    Canceled,
    /// The deadline passed. Ask for less, or raise the timeout.
    #[error("query timed out")]
    TimedOut,
    /// A job on the CPU pool panicked. A bug; the request fails, the process goes on.
    #[error("a worker panicked")]
    Panicked,
}

const RUNNING: u8 = 0;
const CANCELED: u8 = 1;
const TIMED_OUT: u8 = 2;

/// A switch that ends a request. Clones are the same switch; the first reason wins.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicU8>);

impl Cancel {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn cancel(&self) {
        self.set(CANCELED);
    }

    /// Called by whoever owns the clock when the deadline passes.
    pub fn time_out(&self) {
        self.set(TIMED_OUT);
    }

    /// # Errors
    /// When the switch was thrown.
    pub fn check(&self) -> Result<(), Interrupted> {
        match self.0.load(Ordering::Relaxed) {
            RUNNING => Ok(()),
            TIMED_OUT => Err(Interrupted::TimedOut),
            _ => Err(Interrupted::Canceled),
        }
    }

    /// Whether this is the only handle left: the request it could end is gone.
    #[must_use]
    pub fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn set(&self, reason: u8) {
        // Losing the race means that a reason stands already.
        let _first = self.0.compare_exchange(RUNNING, reason, Ordering::Relaxed, Ordering::Relaxed);
    }
}
