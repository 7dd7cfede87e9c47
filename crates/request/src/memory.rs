use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use thiserror::Error;

/// A limit on bytes was reached. Narrow the request or raise the limit that is named.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what} of {limit} bytes{flag} is used up: {used} bytes are held and {wanted} more were asked for")]
pub struct MemoryExceeded {
    /// Which limit: "the query's memory limit" or "the process's memory limit".
    pub what: &'static str,
    /// The flag that sets it, in brackets after a space; empty where it is not one flag's.
    pub flag: &'static str,
    pub limit: u64,
    pub used: u64,
    pub wanted: u64,
}

#[derive(Debug, Default)]
struct Counter {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    /// The most since somebody last looked.
    high: AtomicU64,
    /// Something was not given.
    refused: AtomicBool,
}

impl Counter {
    fn new(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes `bytes` where no more than `limit` are then used; else gives how many are.
    fn take(&self, bytes: u64, limit: u64) -> Result<(), u64> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let Some(after) = used.checked_add(bytes).filter(|&n| n <= limit) else { return Err(used) };
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

/// Holds memory that it can do without: pages of mapped files, entries of a cache.
pub trait Reclaim: Send + Sync {
    /// Gives back what it can at once. Called on a thread of its own, with nothing locked.
    fn reclaim(&self);
}

/// A request that holds no more than one part in so many of the process's limit is a small one …
const SMALL_PART: u64 = 256;
/// … and one part in so many of the limit is kept for those.
const RESERVED_PART: u64 = 16;

/// The bytes that all requests of a process may hold together. What the process holds besides (code, caches,
/// mapped files) is told to it from time to time and counts as used. The last sixteenth is for small
/// requests: a large one cannot starve them.
#[derive(Clone)]
pub struct MemoryBudget(Arc<Budget>);

struct Budget {
    leased: Counter,
    /// What the process holds beyond the leases, when it was last looked at.
    unleased: AtomicU64,
    refused: AtomicU64,
    reclaim: Mutex<Vec<Weak<dyn Reclaim>>>,
}

impl MemoryBudget {
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Budget {
            leased: Counter::new(limit),
            unleased: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            reclaim: Mutex::default(),
        }))
    }

    /// An account for one request, limited to `limit` bytes within the budget.
    #[must_use]
    pub fn account(&self, limit: u64) -> MemoryAccount {
        MemoryAccount { own: Arc::new(Counter::new(limit)), budget: self.clone() }
    }

    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.leased.limit
    }

    /// Bytes of all leases.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.leased.used.load(Ordering::Relaxed)
    }

    /// The most that was held at once.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.0.leased.peak.load(Ordering::Relaxed)
    }

    /// How often a lease was refused for want of the process's memory.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Says how many bytes the process holds (RSS). What of that is not leased counts as used, until it is
    /// said anew.
    pub fn observe(&self, resident: u64) {
        self.0.unleased.store(resident.saturating_sub(self.used()), Ordering::Relaxed);
    }

    /// Bytes that the process holds beyond all leases, as last observed.
    #[must_use]
    pub fn unleased(&self) -> u64 {
        self.0.unleased.load(Ordering::Relaxed)
    }

    /// Lets `holder` be asked to give memory back when it becomes scarce, for as long as it lives.
    pub fn reclaim_from(&self, holder: Weak<dyn Reclaim>) {
        let mut holders = self.0.reclaim.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|h| h.strong_count() > 0);
        holders.push(holder);
    }

    /// Asks all holders to give back what they can.
    pub fn reclaim(&self) {
        let holders = self.0.reclaim.lock().unwrap_or_else(PoisonError::into_inner).clone();
        holders.iter().filter_map(Weak::upgrade).for_each(|holder| holder.reclaim());
    }

    /// `own` is what the request holds already.
    fn take(&self, bytes: u64, own: u64) -> Result<(), MemoryExceeded> {
        let Budget { leased, unleased, refused, .. } = &*self.0;
        let limit = leased.limit;
        let small = own.saturating_add(bytes) <= limit / SMALL_PART;
        // A budget of some kilobytes, as tests have it, is not parted.
        let reserved = if small || limit < 1 << 20 { 0 } else { limit / RESERVED_PART };
        let unleased = unleased.load(Ordering::Relaxed);
        leased.take(bytes, limit.saturating_sub(reserved).saturating_sub(unleased)).map_err(|used| {
            refused.fetch_add(1, Ordering::Relaxed);
            MemoryExceeded {
                what: "the process's memory limit",
                flag: " (--memory.limit)",
                limit,
                used: used.saturating_add(unleased),
                wanted: bytes,
            }
        })
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MemoryBudget");
        shown.field("limit", &self.limit()).field("used", &self.used()).field("unleased", &self.unleased()).finish()
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

    /// Whether a lease was refused at some time, for the request's limit or the process's.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.own.refused.load(Ordering::Relaxed)
    }

    /// Whether less than half is in use, both of the account and of the budget, so that what is not needed
    /// yet may be held as well.
    #[must_use]
    pub fn is_plenty(&self) -> bool {
        let budget = &self.budget;
        self.own.used.load(Ordering::Relaxed) <= self.own.limit / 2
            && budget.used().saturating_add(budget.unleased()) <= budget.limit() / 2
    }

    /// The process's budget that it draws on.
    #[must_use]
    pub fn budget(&self) -> &MemoryBudget {
        &self.budget
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
        let MemoryAccount { own, budget } = &self.account;
        own.take(more, own.limit).map_err(|used| {
            own.refused.store(true, Ordering::Relaxed);
            let what = "the query's memory limit";
            MemoryExceeded { what, flag: "", limit: own.limit, used, wanted: more }
        })?;
        if let Err(e) = budget.take(more, self.account.used() - more) {
            own.give_back(more);
            own.refused.store(true, Ordering::Relaxed);
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
        self.account.budget.0.leased.give_back(bytes);
        self.bytes -= bytes;
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}
