//! How a command is started: the supervisor starts itself once more as a *launcher*, which
//! confines itself and then becomes the command.
//!
//! Decided against confining between `fork` and `exec` in the supervisor: little is allowed there,
//! none of it checked by the compiler. The launcher is an ordinary program with one thread. It gets
//! its orders over a socket that is its standard input, so that no secret is on a command line, and
//! reports over the same one what went wrong; the socket closes when the command's program begins.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::output::Handles;
use crate::sandbox::{Plan, confine};
use crate::signals;

/// First argument that makes this program a launcher.
pub(crate) const ARGUMENT: &str = "--launch";
/// This program, even if its file has been replaced meanwhile.
pub(crate) const MYSELF: &str = "/proc/self/exe";
/// Exit code of a launcher that failed.
pub(crate) const FAILED: i32 = 127;
/// How long confining and starting may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Program first, absolute.
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// Absolute.
    pub(crate) directory: PathBuf,
    pub(crate) plan: Plan,
    /// For what is of no use without a supervisor. A command that writes state is left to finish.
    pub(crate) dies_with_supervisor: bool,
    pub(crate) supervisor_pid: i32,
}

/// Starts `order` as the leader of a process group of its own.
///
/// # Errors
/// Why the command could not be started; nothing of it runs then, though its process may have to
/// be reaped.
pub(crate) fn launch(order: &Order, output: Handles) -> io::Result<Pid> {
    let (mut ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(PATIENCE))?;
    ours.set_write_timeout(Some(PATIENCE))?;
    let child = Command::new(MYSELF)
        .arg(ARGUMENT)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(output.stdout)
        .stderr(output.stderr)
        .process_group(0)
        .spawn()?;
    let pid = Pid::from_child(&child);
    ours.write_all(&serde_json::to_vec(order)?)?;
    ours.shutdown(Shutdown::Write)?;
    let mut failure = String::new();
    ours.read_to_string(&mut failure)?;
    if failure.is_empty() {
        Ok(pid)
    } else {
        Err(io::Error::other(failure))
    }
}

/// The launcher: becomes the command that was ordered. Returns its exit code if it can't.
pub(crate) fn run() -> i32 {
    let mut supervisor = match take_socket() {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("terrane-supervisor: the launcher has no orders: {error}");
            return FAILED;
        }
    };
    let Err(failure) = obey(&mut supervisor);
    // If nobody listens any more, there is nobody to tell.
    let _ = supervisor.write_all(failure.as_bytes());
    FAILED
}

fn obey(supervisor: &mut UnixStream) -> Result<std::convert::Infallible, String> {
    let mut orders = vec![];
    supervisor
        .read_to_end(&mut orders)
        .map_err(|error| format!("no orders came: {error}"))?;
    let order: Order = serde_json::from_slice(&orders)
        .map_err(|error| format!("the orders make no sense: {error}"))?;
    let [program, arguments @ ..] = order.argv.as_slice() else {
        return Err("there is no program to start".to_owned());
    };
    let failed = |error: io::Error| format!("{program} could not be started: {error}");
    signals::restore_defaults()
        .and_then(|()| signals::unblock_all())
        .map_err(failed)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    crate::memory::spare_no_more();
    confine(&order.plan).map_err(|error| with_sources(&error))?;
    if order.dies_with_supervisor {
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| failed(error.into()))?;
        if getppid() != Pid::from_raw(order.supervisor_pid) {
            return Err("the supervisor is gone".to_owned());
        }
    }
    let error = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&order.env)
        .current_dir(&order.directory)
        .exec();
    Err(failed(error))
}

/// Takes the socket off standard input, which the command finds empty.
fn take_socket() -> io::Result<UnixStream> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
