//! Which layers of the sandbox work on this machine: each is put on a child, which then tries what
//! the layer forbids.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{WaitOptions, getpid, waitpid};
use step::{Bubblewrap, CgroupVersion, Layer, Limits, Probe, Sandbox};

use crate::escape::{ESCAPED, TRY};
use crate::launch::{Order, launch};
use crate::output::Handles;
use crate::sandbox::Plan;

/// Tried unless the caller names another.
const NOBODY: u32 = 65534;
const OPEN_FILES: u64 = 64;

/// Prints what works, as JSON. Arguments: user and group that commands would run as.
pub(crate) fn print(arguments: &[String]) -> ExitCode {
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok());
    let probe = probe(number(0).unwrap_or(NOBODY), number(1).unwrap_or(NOBODY));
    let written = serde_json::to_vec_pretty(&probe)
        .map_err(io::Error::from)
        .and_then(|text| io::stdout().write_all(&text));
    if written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn probe(uid: u32, gid: u32) -> Probe {
    let none = Sandbox::default;
    Probe {
        uid_drop: layer(
            Sandbox {
                uid: Some(uid),
                gid: Some(gid),
                ..none()
            },
            &["user", &uid.to_string()],
        ),
        landlock: layer(
            Sandbox {
                landlock: true,
                ..none()
            },
            &["file"],
        ),
        landlock_scopes: layer(
            Sandbox {
                landlock: true,
                ..none()
            },
            &["signal", &getpid().as_raw_nonzero().to_string()],
        ),
        seccomp: layer(
            Sandbox {
                seccomp: true,
                ..none()
            },
            &["calls"],
        ),
        rlimits: layer(
            Sandbox {
                rlimits: true,
                ..none()
            },
            &["limits"],
        ),
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
    let mut argv = vec![program.to_string_lossy().into_owned(), TRY.to_owned()];
    argv.extend(what.iter().map(ToString::to_string));
    let order = Order {
        argv,
        env: BTreeMap::new(),
        directory: "/".into(),
        plan: Plan {
            sandbox,
            limits: Limits {
                open_files: OPEN_FILES,
                ..Limits::default()
            },
            step_directory: scratch.to_owned(),
            writable: vec![],
            program,
        },
        dies_with_supervisor: true,
        supervisor_pid: getpid().as_raw_nonzero().get(),
    };
    let nowhere = || File::options().write(true).open("/dev/null");
    let pid = launch(
        &order,
        Handles {
            stdout: nowhere()?,
            stderr: nowhere()?,
        },
    )?;
    let (_, status) = waitpid(Some(pid), WaitOptions::empty())?.ok_or(io::ErrorKind::NotFound)?;
    Ok(status.exit_status().unwrap_or(-1))
}

fn bubblewrap() -> Layer {
    let candidates = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];
    let Some(program) = candidates
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
    else {
        return Layer {
            works: false,
            why: Some("bwrap is not installed".to_owned()),
        };
    };
    judge(scratch().and_then(|scratch| {
        let supervisor = std::env::current_exe()?;
        let wrapped = Bubblewrap {
            program,
            supervisor,
            step_directory: scratch.clone(),
            read_only: vec![],
            read_write: vec![],
            cgroup: None,
            no_network: false,
        };
        let mut argv = wrapped.argv();
        // In place of the step directory that a supervisor gets.
        argv.pop();
        let mut command = Command::new(argv.remove(0));
        command
            .args(argv)
            .args([TRY, "alone"])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let output = command.output();
        let _ = std::fs::remove_dir_all(scratch);
        let output = output?;
        match output.status.code() {
            Some(0) => Ok(0),
            Some(ESCAPED) => Ok(ESCAPED),
            _ => Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            )),
        }
    }))
}

fn judge(tried: io::Result<i32>) -> Layer {
    let why = match tried {
        Ok(0) => {
            return Layer {
                works: true,
                why: None,
            };
        }
        Ok(ESCAPED) => "it was put on, but did not hold".to_owned(),
        Ok(code) => format!("the try ended with {code}"),
        Err(error) => error.to_string(),
    };
    Layer {
        works: false,
        why: Some(why),
    }
}

/// A directory of our own that no other user can guess into.
fn scratch() -> io::Result<PathBuf> {
    let nanoseconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let name = format!("terrane-probe-{}-{nanoseconds}", getpid().as_raw_nonzero());
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
