//! `terrane-runner` as a process of its own, which a test may kill and start again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::server::binaries;
use crate::{Dev, Options, kill_all_below};

/// One runner with its data directory below the server's scratch directory.
pub struct Runner {
    child: Child,
    directory: PathBuf,
    gateway: String,
    token_file: PathBuf,
    name: String,
    options: Options,
    log: PathBuf,
}

impl Runner {
    /// Joins the server's default pool.
    pub fn start(dev: &Dev, name: &str) -> Self {
        Self::start_with(dev, name, &Options::default())
    }

    pub fn start_with(dev: &Dev, name: &str, options: &Options) -> Self {
        let directory = dev.scratch().join(format!("runner-{name}"));
        let gateway = dev.facts.gateway.clone();
        let token_file = dev.facts.runner_token_file.clone();
        let log = dev.scratch().join("stderr.log");
        let child = spawn(&directory, &gateway, &token_file, name, options, &log);
        Self {
            child,
            directory,
            gateway,
            token_file,
            name: name.to_owned(),
            options: options.clone(),
            log,
        }
    }

    /// Where its steps are.
    pub fn directory(&self) -> &PathBuf {
        &self.directory
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
        kill_all_below(&self.directory);
        let _ = self.child.wait();
    }

    /// Starts it again on the same directory.
    pub fn restart(&mut self) {
        self.child = spawn(
            &self.directory,
            &self.gateway,
            &self.token_file,
            &self.name,
            &self.options,
            &self.log,
        );
    }

    /// Command lines of what it has started and is still running.
    pub fn processes(&self) -> Vec<(u32, String)> {
        crate::processes::below(&self.directory)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.power_cut();
    }
}

fn spawn(
    directory: &PathBuf,
    gateway: &str,
    token_file: &PathBuf,
    name: &str,
    options: &Options,
    log: &PathBuf,
) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(binaries().join("terrane-runner"));
    command.args([
        "--gateway",
        gateway,
        "--name",
        name,
        "--executor",
        options.executor,
    ]);
    command
        .arg("--token-file")
        .arg(token_file)
        .arg("--data-dir")
        .arg(directory);
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
