//! A cache of providers that fills itself: what one job's init had to download is there for the next.
//!
//! A mirror in terraform's packed layout, one archive per version, that steps see read-only. The
//! runner fills it by itself, from the provider's registry, after a job has shown that the version is
//! in use. Decided against taking the copy that the job downloaded: whatever runs in a job may have
//! changed it, or have pointed the download elsewhere, and the next job would run it. Packed, not
//! unpacked, because a lock file made on another platform has checksums of archives only.

mod cache;
mod filler;
mod package;
mod registry;

pub use cache::ProviderCache;
pub use filler::{Filler, Wishes};
pub use package::{Package, installed_in};
