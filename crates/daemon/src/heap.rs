//! How the C library keeps freed memory.

use std::ffi::c_int;

/// Blocks of memory of this size and more come from the system and go back to it when they are freed …
const MAPPED_BYTES_MIN: c_int = 4 << 20;
/// … and so much that is free at the end of a heap is kept for the next request. What queries take for a
/// moment is some megabytes a thread: given back each time, it comes again page by page.
const KEPT_BYTES_MAX: c_int = 8 << 20;

/// Sets both, where the C library is glibc.
pub(crate) fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // As in malloc.h.
        const M_TRIM_THRESHOLD: c_int = -1;
        const M_MMAP_THRESHOLD: c_int = -3;
        #[expect(unsafe_code, reason = "the C library's own switch; a thousand page faults less for a query")]
        unsafe extern "C" {
            // SAFETY: int mallopt(int, int) of malloc.h; it takes any numbers, and may be called at any time.
            safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        for (parameter, value) in [(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN), (M_TRIM_THRESHOLD, KEPT_BYTES_MAX)] {
            if mallopt(parameter, value) == 0 {
                tracing::debug!(parameter, value, "the allocator does not take a setting");
            }
        }
    }
}
