//! One `terrane-runner`: started by us, or left over from a `terrane dev` that was killed.
//!
//! A runner that is left over still executes what it executed. It is taken on as it is: a second
//! one on the same directory would only fail, and killing it would delay the run in progress.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

#[cfg(target_os = "linux")]
use super::left_over::LeftOver;
use super::private_file;

/// How to start a runner.
#[derive(Debug, Clone)]
pub(super) struct Specification {
    pub(super) program: PathBuf,
    pub(super) name: String,
    pub(super) gateway: SocketAddr,
    pub(super) token_file: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) executor: &'static str,
    /// Says which process it is, for the next `terrane dev`.
    pub(super) pid_file: PathBuf,
}

/// A runner that lives, as far as we know.
pub(super) enum Runner {
    Child(Child),
    #[cfg(target_os = "linux")]
    LeftOver(LeftOver),
}

impl Runner {
    /// Takes on the runner that is left over, or starts one.
    ///
    /// # Errors
    /// If the program can't be started, or its pid not be written down.
    pub(super) async fn obtain(specification: &Specification) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(runner) = LeftOver::find(specification)? {
            if runner.serves(specification.gateway) {
                tracing::info!(
                    pid = runner.pid(),
                    "a runner that was left over is taken on"
                );
                return Ok(Self::LeftOver(runner));
            }
            // The ports have changed: it would never find us.
            runner.signal(Signal::TERM)?;
            runner.ended().await?;
        }
        let child = start(specification)?;
        if let Some(pid) = child.id() {
            let text = format!("{pid} {}\n", specification.gateway);
            private_file::write(&specification.pid_file, text.as_bytes())?;
        }
        Ok(Self::Child(child))
    }

    /// `None` once it has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Child(child) => child.id(),
            #[cfg(target_os = "linux")]
            Self::LeftOver(runner) => Some(runner.pid()),
        }
    }

    /// Waits for its end and tells how it was. May be dropped and called again.
    ///
    /// # Errors
    /// If the process can't be waited for.
    pub(super) async fn ended(&mut self) -> io::Result<String> {
        match self {
            Self::Child(child) => child.wait().await.map(|status| status.to_string()),
            #[cfg(target_os = "linux")]
            Self::LeftOver(runner) => runner
                .ended()
                .await
                .map(|()| "not our child: its status is unknown".to_owned()),
        }
    }

    /// Asks it to stop. That it has ended already is no error.
    pub(super) fn terminate(&self) {
        let result = match self {
            Self::Child(child) => match child.id().and_then(|pid| Pid::from_raw(pid as i32)) {
                Some(pid) => kill_process(pid, Signal::TERM).map_err(io::Error::from),
                None => Ok(()),
            },
            #[cfg(target_os = "linux")]
            Self::LeftOver(runner) => runner.signal(Signal::TERM),
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a runner can't be asked to stop");
        }
    }
}

fn start(specification: &Specification) -> io::Result<Child> {
    // Our stdout belongs to what was asked for; what runners say goes where the logs go.
    let stderr = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    let mut command = Command::new(&specification.program);
    command
        .args(["--gateway", &specification.gateway.to_string()])
        .args([
            "--name",
            &specification.name,
            "--executor",
            specification.executor,
        ])
        .arg("--token-file")
        .arg(&specification.token_file)
        .arg("--data-dir")
        .arg(&specification.data_dir)
        .stdin(Stdio::null())
        .stdout(stderr()?)
        .stderr(stderr()?)
        // Ctrl-C reaches the whole foreground group; a runner is stopped by us, in order.
        .process_group(0)
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        // Settings of the control plane, secrets among them, are none of its business.
        if name.to_string_lossy().starts_with("TERRANE__") {
            command.env_remove(name);
        }
    }
    command.spawn()
}
