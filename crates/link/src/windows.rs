//! Flow control of HTTP/2 on both sides: wide enough for a state upload over a long path, bounded
//! so that a peer can't make the other one buffer at will.

/// Bytes under way in one call.
pub(crate) const STREAM: u32 = 1024 * 1024;
/// Bytes under way in one session.
pub(crate) const SESSION: u32 = 2 * 1024 * 1024;
/// Calls open at the same time in one session.
pub(crate) const CALLS: u32 = 64;
/// Bytes of headers of one call.
pub(crate) const HEADERS: u32 = 16 * 1024;
