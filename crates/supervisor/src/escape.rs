//! What a probing child tries, and must not be able to do.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use nix::sched::CloneFlags;
use nix::unistd::{Uid, geteuid, getgroups, setuid};
use rustix::process::{Pid, Signal, kill_process};

/// First argument of the child that tries to get past a layer.
pub(crate) const TRY: &str = "--try";
/// Exit code of a child that could do what it must not.
pub(crate) const ESCAPED: i32 = 3;
/// More than a probe's limit allows.
const MANY_FILES: usize = 200;
/// Processes in a pid namespace that holds only bubblewrap and us.
const FEW_PROCESSES: usize = 4;

/// Tries what must fail; 0 if it did.
pub(crate) fn attempt(what: &[String]) -> i32 {
    let words: Vec<&str> = what.iter().map(String::as_str).collect();
    let held = match words.as_slice() {
        ["user", uid] => is_only(uid),
        ["file"] => File::open("/etc").is_err() && File::create("/tmp/terrane-escape").is_err(),
        ["signal", pid] => cannot_signal(pid),
        // Does nothing, and is allowed to everyone but who is filtered.
        ["calls"] => nix::sched::unshare(CloneFlags::empty()) == Err(nix::errno::Errno::EPERM),
        ["limits"] => cannot_open_many_files(),
        ["alone"] => is_alone(),
        ["address", address] => cannot_send_to(address),
        _ => false,
    };
    if held { 0 } else { ESCAPED }
}

fn is_only(uid: &str) -> bool {
    let expected = uid.parse().ok().map(Uid::from_raw);
    let no_groups = getgroups().is_ok_and(|groups| groups.len() <= 1);
    let no_way_back = geteuid().is_root() || setuid(Uid::from_raw(0)).is_err();
    Some(geteuid()) == expected && no_groups && no_way_back
}

/// Tries one that does nothing.
fn cannot_signal(pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::CONT) == Err(rustix::io::Errno::PERM))
}

fn cannot_open_many_files() -> bool {
    let files: Result<Vec<File>, _> = (0..MANY_FILES).map(|_| File::open("/dev/null")).collect();
    files.is_err()
}

/// One datagram, which asks for no answer: what a packet filter refuses fails at once.
fn cannot_send_to(address: &str) -> bool {
    let Ok(address) = address.parse::<SocketAddr>() else {
        return false;
    };
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let sent = UdpSocket::bind(any).and_then(|socket| socket.send_to(b"", address));
    sent.is_err()
}

fn is_alone() -> bool {
    let Ok(listing) = std::fs::read_dir("/proc") else {
        return false;
    };
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names = listing
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| is_process(name)).count() <= FEW_PROCESSES
        && !Path::new("/etc/shadow").exists()
}
