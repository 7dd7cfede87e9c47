use std::fs;

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
