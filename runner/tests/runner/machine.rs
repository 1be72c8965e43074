//! A runner process of a test and its data directory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::plane::Plane;

/// A runner and what it keeps.
pub(crate) struct Machine {
    pub(crate) data: tempfile::TempDir,
    child: Option<Child>,
    gateway: String,
    supervisor: PathBuf,
    docker: bool,
    mounted: bool,
    /// Further arguments.
    arguments: Vec<String>,
    /// The runner's environment.
    environment: Vec<(String, String)>,
}

/// The supervisor, if it has been built; the tests can do nothing without it.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command names the static one"
)]
pub(crate) fn supervisor() -> Option<PathBuf> {
    if let Ok(named) = std::env::var("TERRANE_RUNNER_SUPERVISOR") {
        return Some(PathBuf::from(named));
    }
    let runner = Path::new(env!("CARGO_BIN_EXE_terrane-runner"));
    let path = runner.with_file_name("terrane-supervisor");
    if path.is_file() {
        return Some(path);
    }
    skip("terrane-supervisor beside terrane-runner: build it with cargo build -p supervisor");
    None
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether this is CI decides what a skip means"
)]
pub(crate) fn skip(needs: &str) {
    let ci = std::env::var("CI").is_ok_and(|it| it == "true");
    assert!(
        !ci,
        "skipping is not allowed in CI: this test needs {needs}"
    );
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: needs {needs}");
}

impl Machine {
    /// A machine with a running runner; `None` where there is no supervisor.
    pub(crate) fn start(plane: &Plane) -> Option<Self> {
        Self::with_executor(plane, false, &[], &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_with(plane: &Plane, arguments: &[&str]) -> Option<Self> {
        Self::with_executor(plane, false, arguments, &[])
    }

    /// The same with an environment of the runner's own.
    pub(crate) fn start_in(
        plane: &Plane,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Option<Self> {
        Self::with_executor(plane, false, arguments, environment)
    }

    /// The same with its data on a disk of so many MiB; `None` also for who may not mount one.
    pub(crate) fn on_small_disk(plane: &Plane, mebibytes: u32) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip("root, to mount a small disk");
            return None;
        }
        let mut machine = Self::made(plane, false, &[], &[])?;
        let status = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("mode=0755,size={mebibytes}m"),
                "tmpfs",
            ])
            .arg(machine.data.path())
            .status();
        assert!(status.unwrap().success());
        machine.mounted = true;
        machine.write_token(plane);
        machine.run();
        Some(machine)
    }

    /// The same with steps in containers; `None` also where there is no daemon or no image.
    pub(crate) fn with_docker(plane: &Plane) -> Option<Self> {
        let image = Command::new("docker")
            .args(["image", "inspect", "terrane-job:latest"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !image.is_ok_and(|status| status.success()) {
            skip("a docker daemon with the image terrane-job:latest (cargo xtask image)");
            return None;
        }
        Self::with_executor(plane, true, &[], &[])
    }

    fn with_executor(
        plane: &Plane,
        docker: bool,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Option<Self> {
        let mut machine = Self::made(plane, docker, arguments, environment)?;
        machine.write_token(plane);
        machine.run();
        Some(machine)
    }

    fn made(
        plane: &Plane,
        docker: bool,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Option<Self> {
        let supervisor = supervisor()?;
        let data = tempfile::Builder::new()
            .prefix("runner-")
            .tempdir()
            .unwrap();
        Some(Self {
            data,
            child: None,
            gateway: plane.address.to_string(),
            supervisor,
            docker,
            mounted: false,
            arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
            environment: environment
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    fn write_token(&self, plane: &Plane) {
        let token = plane.shared.token.to_text();
        std::fs::write(self.data.path().join("token"), token.expose()).unwrap();
    }

    /// Starts the runner process, again or for the first time.
    pub(crate) fn run(&mut self) {
        let child = Command::new(env!("CARGO_BIN_EXE_terrane-runner"))
            .args([
                "--gateway",
                &self.gateway,
                "--name",
                "test",
                "--capacity",
                "3",
            ])
            .arg("--token-file")
            .arg(self.data.path().join("token"))
            .arg("--data-dir")
            .arg(self.data.path())
            .arg("--supervisor")
            .arg(&self.supervisor)
            .args(&self.arguments)
            .args(["--log", "info,runner=debug"])
            .args(["--executor", if self.docker { "docker" } else { "process" }])
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Ends the runner as a power cut would: nothing is said.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks politely and waits.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        signal(child.id(), nix::sys::signal::Signal::SIGTERM);
        child.wait().unwrap().code()
    }

    pub(crate) fn job(&self, id: &str) -> PathBuf {
        self.data.path().join("jobs").join(id)
    }

    /// Every process that works in the step directory of a job, its supervisor first.
    pub(crate) fn processes(&self, id: &str) -> Vec<u32> {
        let step = self.job(id).join("step");
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let place = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if line.contains(&*step.to_string_lossy()) || place.starts_with(&step) {
                found.push(pid);
            }
        }
        found.sort_unstable();
        found
    }
}

pub(crate) fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    let _ = nix::sys::signal::kill(pid, signal);
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let jobs = std::fs::read_dir(self.data.path().join("jobs"));
        for job in jobs.into_iter().flatten().flatten() {
            for pid in self.processes(&job.file_name().to_string_lossy()) {
                signal(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
        if self.mounted {
            let umount = Command::new("umount")
                .arg("-l")
                .arg(self.data.path())
                .status();
            assert!(umount.is_ok_and(|status| status.success()) || std::thread::panicking());
        }
    }
}
