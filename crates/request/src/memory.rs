use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

/// A limit on bytes was reached. Narrow the request or raise the limit that is named.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what} of {limit} bytes is used up: {used} bytes are held and {wanted} more were asked for")]
pub struct MemoryExceeded {
    /// Which limit: "the query's memory limit" or "the process's memory limit".
    pub what: &'static str,
    pub limit: u64,
    pub used: u64,
    pub wanted: u64,
}

#[derive(Debug)]
struct Counter {
    what: &'static str,
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    /// The most since somebody last looked.
    high: AtomicU64,
}

impl Counter {
    fn new(what: &'static str, limit: u64) -> Self {
        Self { what, limit, used: AtomicU64::new(0), peak: AtomicU64::new(0), high: AtomicU64::new(0) }
    }

    fn take(&self, bytes: u64) -> Result<(), MemoryExceeded> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let Some(after) = used.checked_add(bytes).filter(|&n| n <= self.limit) else {
                return Err(MemoryExceeded { what: self.what, limit: self.limit, used, wanted: bytes });
            };
            match self.used.compare_exchange_weak(used, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    self.peak.fetch_max(after, Ordering::Relaxed);
                    self.high.fetch_max(after, Ordering::Relaxed);
                    return Ok(());
                }
                Err(now) => used = now,
            }
        }
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The bytes that all requests of a process may hold together.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Counter>);

impl MemoryBudget {
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Counter::new("the process's memory limit", limit)))
    }

    /// An account for one request, limited to `limit` bytes within the budget.
    #[must_use]
    pub fn account(&self, limit: u64) -> MemoryAccount {
        MemoryAccount { own: Arc::new(Counter::new("the query's memory limit", limit)), budget: self.clone() }
    }

    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most that was held at once.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }
}

/// The bytes that one request holds.
#[derive(Clone, Debug)]
pub struct MemoryAccount {
    own: Arc<Counter>,
    budget: MemoryBudget,
}

impl MemoryAccount {
    /// Takes `bytes` until the lease is dropped.
    ///
    /// # Errors
    /// When the request's or the process's limit would be passed; nothing is taken then.
    pub fn lease(&self, bytes: u64) -> Result<MemoryLease, MemoryExceeded> {
        let mut lease = MemoryLease { account: self.clone(), bytes: 0 };
        lease.grow(bytes)?;
        Ok(lease)
    }

    #[must_use]
    pub fn used(&self) -> u64 {
        self.own.used.load(Ordering::Relaxed)
    }

    /// The most that was held at once.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.own.peak.load(Ordering::Relaxed)
    }

    /// The most that was held at once since this was last called.
    #[must_use]
    pub fn take_high(&self) -> u64 {
        self.own.high.swap(self.used(), Ordering::Relaxed)
    }
}

/// Bytes taken from a [`MemoryAccount`]; given back on drop.
#[derive(Debug)]
pub struct MemoryLease {
    account: MemoryAccount,
    bytes: u64,
}

impl MemoryLease {
    /// Takes `more` bytes.
    ///
    /// # Errors
    /// As [`MemoryAccount::lease`].
    pub fn grow(&mut self, more: u64) -> Result<(), MemoryExceeded> {
        self.account.own.take(more)?;
        if let Err(e) = self.account.budget.0.take(more) {
            self.account.own.give_back(more);
            return Err(e);
        }
        self.bytes += more;
        Ok(())
    }

    /// Takes or gives back so that `bytes` are held.
    ///
    /// # Errors
    /// As [`MemoryAccount::lease`], when it has to grow.
    pub fn resize(&mut self, bytes: u64) -> Result<(), MemoryExceeded> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.give_back(self.bytes - bytes);
        Ok(())
    }

    /// Moves up to `bytes` of what is held into a lease of its own.
    #[must_use]
    pub fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { account: self.account.clone(), bytes }
    }

    /// Takes over what `other` holds. A lease of another request's account is handed back unchanged.
    #[must_use = "a lease that is handed back still covers its bytes"]
    pub fn join(&mut self, mut other: Self) -> Option<Self> {
        if !Arc::ptr_eq(&self.account.own, &other.account.own) {
            return Some(other);
        }
        self.bytes += std::mem::take(&mut other.bytes);
        None
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn give_back(&mut self, bytes: u64) {
        self.account.own.give_back(bytes);
        self.account.budget.0.give_back(bytes);
        self.bytes -= bytes;
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}
