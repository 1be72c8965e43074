//! Flow control of HTTP/2 on both sides: wide enough for a state upload over a long path, bounded
//! so that a peer can't make the other one buffer at will.
//!
//! A session's window is many times a call's: whoever reads slowly (logs while the database is busy)
//! fills the windows of its own calls, and must not fill the session's, behind which a heart-beat
//! would wait and a lease run out.

/// Bytes under way in one call.
pub(crate) const STREAM: u32 = 1024 * 1024;
/// Bytes under way in one session with calls of one concern.
pub(crate) const SESSION: u32 = 4 * 1024 * 1024;
/// Bytes under way in one session that control and logs share, over TCP.
pub(crate) const SHARED_SESSION: u32 = 32 * 1024 * 1024;
/// Calls open at the same time in one session.
pub(crate) const CALLS: u32 = 256;
/// Bytes of headers of one call.
pub(crate) const HEADERS: u32 = 16 * 1024;
