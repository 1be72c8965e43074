//! The user a command runs as.

use std::io;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// Becomes `uid` and `gid` for good, with no supplementary groups and no capabilities.
///
/// # Errors
/// The kernel's own: without the right to do so there is no half of it.
pub(super) fn become_user(uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    if uid.is_some() || gid.is_some() {
        setgroups(&[])?;
    }
    if let Some(gid) = gid.map(Gid::from_raw) {
        setresgid(gid, gid, gid)?;
    }
    if let Some(uid) = uid.map(Uid::from_raw) {
        setresuid(uid, uid, uid)?;
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            },
        )?;
    }
    Ok(())
}
