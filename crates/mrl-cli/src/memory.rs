//! How the program's memory is managed.

/// Lets glibc's malloc keep freed memory for the next step, instead of handing large blocks back to the system and
/// taking them, page by page, anew. Measured on 2 cores, six steps of the CIFAR-10 reference (two-layer form) at batch 256
/// with start-up: 52.1 s of processor time without, 39.8 s with (November 2026).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_freed_pages() {
    const TOP_PAD_BYTES: i32 = 256 << 20;
    // SAFETY: `mallopt` only sets malloc's own parameters, and is called before any other thread is started.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, TOP_PAD_BYTES);
    }
}

/// Other systems' allocators keep freed memory by themselves, or have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_pages() {}
