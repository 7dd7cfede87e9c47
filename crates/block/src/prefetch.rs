/// Bytes of a line of memory.
#[cfg(target_arch = "x86_64")]
pub(crate) const LINE: usize = 64;

/// Asks the CPU to fetch bytes into the second-level cache, without waiting for them. Costs little and
/// changes nothing else; on machines other than x86-64 it does nothing.
#[inline]
pub fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE) {
        prefetch_line(line.as_ptr());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _nothing_to_do = bytes;
}

/// As [`prefetch`], for the one line that a byte lies in, whether or not there is such a byte.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn prefetch_line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    #[expect(unsafe_code, reason = "measured: mapped chunks are read from memory, not from a cache")]
    // SAFETY: a prefetch has no effect but on caches, whatever the address; x86-64 has it without a feature to look for.
    unsafe {
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
}
