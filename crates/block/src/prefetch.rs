/// Bytes of a line of memory.
#[cfg(target_arch = "x86_64")]
pub(crate) const LINE: usize = 64;

/// Asks the CPU to fetch items into the second-level cache, without waiting for them. Costs little and
/// changes nothing else; on machines other than x86-64 it does nothing.
#[inline]
pub fn prefetch<T>(items: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        let begin = items.as_ptr().cast::<u8>();
        (0..size_of_val(items)).step_by(LINE).for_each(|at| prefetch_line(begin.wrapping_add(at)));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _nothing_to_do = items;
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
