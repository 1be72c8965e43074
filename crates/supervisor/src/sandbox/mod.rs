//! What a command may do, put on by [`crate::launch`] just before the command's program begins.
//!
//! The supervisor stays outside: it may then signal, freeze and read what the command must not
//! touch. Each layer that is asked for is put on or is an error.

mod files;
mod identity;
mod limits;
mod syscalls;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use step::{Limits, Sandbox};

/// Everything a sandbox needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) sandbox: Sandbox,
    pub(crate) limits: Limits,
    /// Absolute.
    pub(crate) step_directory: PathBuf,
    /// Directories in it that the command may write below; absolute.
    pub(crate) writable: Vec<PathBuf>,
    /// The command's own program.
    pub(crate) program: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the limits could not be set")]
    Limits(#[source] std::io::Error),
    #[error("the user could not be changed")]
    Identity(#[source] std::io::Error),
    #[error("new privileges could not be ruled out")]
    NoNewPrivileges(#[source] std::io::Error),
    #[error("Landlock could not be put on")]
    Landlock(#[source] landlock::RulesetError),
    #[error("this kernel does not enforce Landlock")]
    LandlockNotEnforced,
    #[error("the system-call filter could not be built")]
    Filter(#[source] seccompiler::BackendError),
    #[error("the system-call filter could not be put on")]
    ApplyFilter(#[source] seccompiler::Error),
}

/// Confines this process, for good. Only for a process with one thread.
///
/// The order matters: limits may need rights that the new user lacks, and Landlock and the filter
/// forbid what the steps before them do.
///
/// # Errors
/// The layer that could not be put on; the process is then half confined and must end.
pub(crate) fn confine(plan: &Plan) -> Result<(), Error> {
    let sandbox = &plan.sandbox;
    if sandbox.rlimits {
        limits::set(&plan.limits, sandbox.uid.is_some()).map_err(Error::Limits)?;
    }
    identity::become_user(sandbox.uid, sandbox.gid).map_err(Error::Identity)?;
    if sandbox.landlock || sandbox.seccomp || sandbox.uid.is_some() {
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| Error::NoNewPrivileges(error.into()))?;
        identity::disarm_root().map_err(Error::Identity)?;
    }
    if sandbox.landlock {
        files::restrict(plan)?;
    }
    if sandbox.seccomp {
        syscalls::restrict()?;
    }
    Ok(())
}

/// Directories in a step directory that commands may write below: all but the supervisor's own.
///
/// # Errors
/// The file system's own.
pub(crate) fn writable_directories(step: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut directories = vec![];
    for entry in std::fs::read_dir(step)? {
        let entry = entry?;
        let own = step::files::SUPERVISOR_ONLY
            .iter()
            .any(|name| entry.file_name() == **name);
        if entry.file_type()?.is_dir() && !own {
            directories.push(entry.path());
        }
    }
    directories.sort();
    Ok(directories)
}
