//! Which layers of the sandbox work on this machine: each is put on a child, which then tries what
//! the layer forbids.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use step::{Bubblewrap, CgroupVersion, Layer, Limits, Probe, Sandbox};

use crate::launch::{MYSELF, Order, launch};
use crate::output::Handles;
use crate::sandbox::Plan;

/// First argument of the child that tries to get past a layer.
pub const TRY: &str = "--try";
/// Exit code of a child that could do what it must not.
const ESCAPED: i32 = 3;
/// Tried unless the caller names another.
const NOBODY: u32 = 65534;
const OPEN_FILES: u64 = 64;

/// Prints what works, as JSON. Arguments: user and group that commands would run as.
pub fn print(arguments: &[String]) -> ExitCode {
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok());
    let probe = probe(number(0).unwrap_or(NOBODY), number(1).unwrap_or(NOBODY));
    let written = serde_json::to_vec_pretty(&probe)
        .map_err(io::Error::from)
        .and_then(|text| io::stdout().write_all(&text));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn probe(uid: u32, gid: u32) -> Probe {
    let none = Sandbox::default;
    Probe {
        uid_drop: layer(Sandbox { uid: Some(uid), gid: Some(gid), ..none() }, &["user", &uid.to_string()]),
        landlock: layer(Sandbox { landlock: true, ..none() }, &["file"]),
        landlock_scopes: layer(
            Sandbox { landlock: true, ..none() },
            &["signal", &getpid().as_raw_nonzero().to_string()],
        ),
        seccomp: layer(Sandbox { seccomp: true, ..none() }, &["calls"]),
        rlimits: layer(Sandbox { rlimits: true, ..none() }, &["limits"]),
        bubblewrap: bubblewrap(),
        cgroup: cgroup(),
    }
}

/// Puts on `sandbox` and has a child try `what`.
fn layer(sandbox: Sandbox, what: &[&str]) -> Layer {
    let tried = scratch().and_then(|scratch| {
        let tried = run(&scratch, sandbox, what);
        let _ = std::fs::remove_dir_all(scratch);
        tried
    });
    judge(tried)
}

fn run(scratch: &Path, sandbox: Sandbox, what: &[&str]) -> io::Result<i32> {
    let program = std::env::current_exe()?;
    let argv = [program.to_string_lossy().as_ref(), TRY].iter().chain(what).map(ToString::to_string);
    let order = Order {
        argv: argv.collect(),
        env: BTreeMap::new(),
        directory: "/".into(),
        plan: Plan {
            sandbox,
            limits: Limits { open_files: OPEN_FILES, ..Limits::default() },
            step_directory: scratch.to_owned(),
            writable: vec![],
            program,
        },
        dies_with_supervisor: true,
        supervisor_pid: getpid().as_raw_nonzero().get(),
    };
    let nowhere = || File::options().write(true).open("/dev/null");
    let pid = launch(&order, Handles { stdout: nowhere()?, stderr: nowhere()? })?;
    let (_, status) = waitpid(Some(pid), WaitOptions::empty())?.ok_or(io::ErrorKind::NotFound)?;
    Ok(status.exit_status().unwrap_or(-1))
}

fn bubblewrap() -> Layer {
    let candidates = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];
    let Some(program) = candidates.into_iter().map(PathBuf::from).find(|path| path.exists()) else {
        return Layer { works: false, why: Some("bwrap is not installed".to_owned()) };
    };
    judge(scratch().and_then(|scratch| {
        let supervisor = std::env::current_exe()?;
        let wrapped = Bubblewrap {
            program,
            supervisor,
            step_directory: scratch.clone(),
            read_only: vec![],
            read_write: vec![],
            no_network: false,
        };
        let mut argv = wrapped.argv();
        // In place of the step directory that a supervisor gets.
        argv.pop();
        let mut command = Command::new(argv.remove(0));
        command.args(argv).args([TRY, "alone"]).stdin(Stdio::null()).stdout(Stdio::null());
        let output = command.output();
        let _ = std::fs::remove_dir_all(scratch);
        let output = output?;
        match output.status.code() {
            Some(0) => Ok(0),
            Some(ESCAPED) => Ok(ESCAPED),
            _ => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }))
}

fn judge(tried: io::Result<i32>) -> Layer {
    let why = match tried {
        Ok(0) => return Layer { works: true, why: None },
        Ok(ESCAPED) => "it was put on, but did not hold".to_owned(),
        Ok(code) => format!("the try ended with {code}"),
        Err(error) => error.to_string(),
    };
    Layer { works: false, why: Some(why) }
}

/// A directory of our own that no other user can guess into.
fn scratch() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let name = format!("terrane-probe-{}-{}", getpid().as_raw_nonzero(), rustix::time::clock_gettime(
        rustix::time::ClockId::Monotonic,
    ).tv_nsec);
    let path = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(0o755).create(&path)?;
    Ok(path)
}

fn cgroup() -> CgroupVersion {
    let exists = |path: &str| Path::new(path).exists();
    if exists("/sys/fs/cgroup/cgroup.controllers") {
        CgroupVersion::V2
    } else if exists("/sys/fs/cgroup/memory") {
        CgroupVersion::V1
    } else {
        CgroupVersion::None
    }
}

/// In the child: tries what must fail; 0 if it did.
pub fn try_escape(what: &[String]) -> i32 {
    let words: Vec<&str> = what.iter().map(String::as_str).collect();
    let held = match words.as_slice() {
        ["user", uid] => is_only(uid),
        ["file"] => File::open("/etc").is_err() && File::create(std::env::temp_dir().join("x")).is_err(),
        ["signal", pid] => cannot_signal(pid),
        ["calls"] => calls_are_denied(),
        ["limits"] => too_many_files().is_err(),
        ["alone"] => is_alone(),
        _ => false,
    };
    if held { 0 } else { ESCAPED }
}

fn is_only(uid: &str) -> bool {
    use nix::unistd::{Uid, getgroups, geteuid, setuid};
    let expected = uid.parse().ok().map(Uid::from_raw);
    let no_groups = getgroups().is_ok_and(|groups| groups.len() <= 1);
    Some(geteuid()) == expected && no_groups && (geteuid().is_root() || setuid(Uid::from_raw(0)).is_err())
}

fn cannot_signal(pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    // A signal that does nothing.
    pid.is_some_and(|pid| kill_process(pid, Signal::CONT) == Err(rustix::io::Errno::PERM))
}

fn calls_are_denied() -> bool {
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    let no_namespace = nix_unshare_denied();
    let no_raw = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP))
        == Err(rustix::io::Errno::PERM)
        || socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)).is_err();
    no_namespace && no_raw && UdpSocket::bind("127.0.0.1:0").is_ok()
}
