use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use request::MemoryBudget;

/// The process's memory limit in bytes where none is set: that of the cgroup, else 75 % of the machine's.
#[must_use]
pub(crate) fn default_limit() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine_bytes(&text));
    let three_quarters = machine.map_or(1 << 30, |bytes| bytes / 4 * 3);
    cgroup_bytes().filter(|&limit| machine.is_none_or(|bytes| limit < bytes)).unwrap_or(three_quarters)
}

/// `MemTotal` of `/proc/meminfo`.
fn machine_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of version 2, then of version 1. "max" and numbers of the size of the address space mean none.
fn cgroup_bytes() -> Option<u64> {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
}

/// Smaller budgets are those of tests: the process alone would fill them.
const WATCHED_LIMIT_MIN: u64 = 64 << 20;
const LOOK_OFTEN: Duration = Duration::from_millis(20);
const LOOK_SELDOM: Duration = Duration::from_millis(200);

/// Tells the budget what the process really holds, and has memory given back when it becomes scarce: a thread
/// that ends with the watch.
#[derive(Debug)]
pub(crate) struct Watch {
    ended: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn start(budget: MemoryBudget) -> std::io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        if budget.limit() >= WATCHED_LIMIT_MIN {
            let over = Arc::clone(&ended);
            thread::Builder::new().name("memory".to_owned()).stack_size(256 << 10).spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(look(&budget));
                }
            })?;
        }
        Ok(Self { ended })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Looks once; gives when to look again.
fn look(budget: &MemoryBudget) -> Duration {
    let Some(mut now) = resident() else { return LOOK_SELDOM };
    let limit = budget.limit();
    // Pages of files come back cheaply as long as the system keeps them; a quarter is plenty.
    if now.file > limit / 4 || now.total > limit - limit / 8 {
        budget.reclaim();
        now = resident().unwrap_or(now);
    }
    budget.observe(now.total);
    if now.total > limit / 4 { LOOK_OFTEN } else { LOOK_SELDOM }
}

/// Resident bytes of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    pub(crate) total: u64,
    /// Of mapped files.
    pub(crate) file: u64,
}

pub(crate) fn resident() -> Option<Resident> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Resident { total: field("VmRSS:")?, file: field("RssFile:").unwrap_or(0) })
}
