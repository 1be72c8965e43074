//! `terrane-runner` as a process of its own, which a test may kill and start again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::server::binaries;
use crate::{Dev, Options, Segment, kill_all_below};

/// One runner with its data directory below the server's scratch directory.
pub struct Runner {
    child: Child,
    place: Place,
}

/// How and where a runner is started, and started again.
#[derive(Debug, Clone)]
struct Place {
    directory: PathBuf,
    gateway: String,
    token_file: PathBuf,
    name: String,
    options: Options,
    log: PathBuf,
    /// What stands before the runner's own command line, to start it somewhere else.
    launcher: Vec<String>,
}

impl Runner {
    /// Joins the server's default pool.
    pub fn start(dev: &Dev, name: &str) -> Self {
        Self::start_with(dev, name, &Options::default())
    }

    pub fn start_with(dev: &Dev, name: &str, options: &Options) -> Self {
        Self::start_at(Place::beside(dev, name, options))
    }

    /// One that reaches the server by another address: through a relay of the test's own.
    pub fn start_through(dev: &Dev, name: &str, options: &Options, gateway: &str) -> Self {
        let mut place = Place::beside(dev, name, options);
        place.gateway = gateway.to_owned();
        Self::start_at(place)
    }

    /// One in a network namespace of its own.
    pub fn start_in(dev: &Dev, name: &str, options: &Options, segment: &Segment) -> Self {
        let mut place = Place::beside(dev, name, options);
        place.launcher = segment.launcher();
        Self::start_at(place)
    }

    fn start_at(place: Place) -> Self {
        let child = place.spawn();
        Self { child, place }
    }

    /// Where its steps are.
    pub fn directory(&self) -> &PathBuf {
        &self.place.directory
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9` of the runner alone; its steps go on.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -9` of the runner and everything it started, as a power cut would.
    pub fn power_cut(&mut self) {
        let _ = self.child.kill();
        kill_all_below(&self.place.directory);
        let _ = self.child.wait();
    }

    /// Starts it again on the same directory.
    pub fn restart(&mut self) {
        self.child = self.place.spawn();
    }

    /// Command lines of what it has started and is still running.
    pub fn processes(&self) -> Vec<(u32, String)> {
        crate::processes::below(&self.place.directory)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.power_cut();
    }
}

impl Place {
    fn beside(dev: &Dev, name: &str, options: &Options) -> Self {
        Self {
            directory: dev.scratch().join(format!("runner-{name}")),
            gateway: dev.facts.gateway.clone(),
            token_file: dev.facts.runner_token_file.clone(),
            name: name.to_owned(),
            options: options.clone(),
            log: dev.scratch().join("stderr.log"),
            launcher: Vec::new(),
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let runner = binaries().join("terrane-runner");
        let mut command = match self.launcher.split_first() {
            None => Command::new(runner),
            Some((launcher, arguments)) => {
                let mut command = Command::new(launcher);
                command.args(arguments).arg(runner);
                command
            }
        };
        command.args(["--gateway", &self.gateway, "--name", &self.name]);
        command.args(["--executor", self.options.executor]);
        command.arg("--token-file").arg(&self.token_file);
        command.arg("--data-dir").arg(&self.directory);
        command.env(
            "TERRANE_RUNNER_MIRROR",
            testkit::programs::provider_mirror(),
        );
        command
            .env_remove("TF_CLI_CONFIG_FILE")
            .env_remove("SSL_CERT_FILE");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log));
        command
            .spawn()
            .unwrap_or_else(|error| panic!("starting {command:?}: {error}"))
    }
}
