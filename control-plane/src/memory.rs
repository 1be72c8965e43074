//! The allocator of the process.
//!
//! Thousands of runners that reconnect at once leave the system's allocator with heaps that it
//! never gives back; jemalloc with fast decay does, and its background thread does it also when
//! nobody allocates any more.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const SETTINGS: &[u8] = b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0\0";

/// jemalloc reads this symbol when it starts: a pointer to a C string.
#[expect(
    unsafe_code,
    reason = "jemalloc finds its settings by the symbol's name"
)]
#[unsafe(no_mangle)]
static malloc_conf: Option<&'static u8> = SETTINGS.first();
