//! The user a command runs as.

use std::io;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

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
        keep_only(CapabilitySet::empty())?;
    }
    Ok(())
}

/// What is left of root's rights in a sandbox that leaves its user root: to own files, and no
/// more. With the right to watch performance, for one, root may read what Landlock would hide, such
/// as another process's environment. Programs executed later get none back: new privileges are
/// ruled out.
const OF_ROOT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::NET_BIND_SERVICE);

/// Gives up all but a few of root's capabilities; nothing to do for others.
///
/// # Errors
/// The kernel's own.
pub(super) fn disarm_root() -> io::Result<()> {
    keep_only(OF_ROOT)
}

fn keep_only(kept: CapabilitySet) -> io::Result<()> {
    let left = capabilities(None)?.permitted & kept;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: left,
            permitted: left,
            inheritable: none,
        },
    )?)
}
