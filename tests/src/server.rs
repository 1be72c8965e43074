//! `terrane dev` as a process, known by the JSON line it prints.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde::Deserialize;
use tempfile::TempDir;
use workshop::Tree;

use crate::{Api, processes, terminate};

/// The first line on stdout of `terrane dev --json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Facts {
    pub url: String,
    pub ca_file: PathBuf,
    pub token: String,
    pub admin_password_file: PathBuf,
    pub environment: String,
    pub gateway: String,
    pub runner_token_file: PathBuf,
    pub admin_url: String,
    pub cli_config_file: PathBuf,
    pub data_dir: PathBuf,
    pub pid: u32,
    pub runner_pids: Vec<u32>,
}

/// How to start it.
#[derive(Debug, Clone)]
pub struct Options {
    pub executor: &'static str,
    pub database: Option<String>,
    pub runners: u32,
    /// Whether runners find the test provider, which is built for that.
    pub provider: bool,
    /// Where the gateway listens; port 0 takes a free one.
    pub gateway: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        let (arguments, environment) = (Vec::new(), Vec::new());
        Self {
            executor: "process",
            database: None,
            runners: 1,
            provider: true,
            gateway: "127.0.0.1:0".to_owned(),
            arguments,
            environment,
        }
    }
}

/// A running control plane with its runners; everything ends with it.
pub struct Dev {
    pub facts: Facts,
    options: Options,
    child: Child,
    directory: TempDir,
    /// Ports stay the same over restarts, as they do for a real installation.
    addresses: Option<(String, String)>,
}

impl Dev {
    /// One runner, the process executor, SQLite, an empty data directory.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    pub fn start_with(options: Options) -> Self {
        Self::start_on(options, |_| {})
    }

    fn in_directory(options: Options, directory: TempDir) -> Self {
        let (child, facts) = spawn(&options, directory.path(), None);
        let port = facts
            .url
            .rsplit(':')
            .next()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let addresses = Some((format!("127.0.0.1:{port}"), facts.gateway.clone()));
        Self {
            facts,
            options,
            child,
            directory,
            addresses,
        }
    }

    /// On a data directory that `prepare` has filled.
    pub fn start_on(options: Options, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("terrane-")
            .tempdir()
            .unwrap();
        // Jobs run as another user, who must get through.
        open_to_all(directory.path());
        prepare(&directory.path().join("data"));
        Self::in_directory(options, directory)
    }

    /// `localhost:PORT`, as configurations name it.
    pub fn host(&self) -> &str {
        self.facts
            .url
            .split_once("://")
            .unwrap()
            .1
            .trim_end_matches('/')
    }

    pub fn api(&self) -> Api {
        Api::new(&self.facts.url, &self.facts.ca_file, &self.facts.token)
    }

    /// A directory of the test's own that ends with the server.
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        terminate(self.child.id());
        self.child.wait().unwrap()
    }

    /// `kill -9` of the control plane alone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -9` of everything: control plane, runners, supervisors, terraform, providers.
    pub fn power_cut(&mut self) {
        let _ = self.child.kill();
        processes::kill_all_below(self.directory.path());
        let _ = self.child.wait();
    }

    /// Starts it again on the same data directory and addresses.
    pub fn restart(&mut self) {
        let (child, facts) = spawn(
            &self.options,
            self.directory.path(),
            self.addresses.as_ref(),
        );
        assert_eq!(facts.token, self.facts.token, "a restart keeps the token");
        self.child = child;
        self.facts = facts;
    }

    /// Every process that works for this server, with its command line.
    pub fn processes(&self) -> Vec<(u32, String)> {
        processes::below(self.directory.path())
    }

    /// The process whose command line begins with a program of this name.
    pub fn process(&self, program: &str) -> Option<u32> {
        self.processes()
            .into_iter()
            .find(|(_, line)| is_program(line, program))
            .map(|(pid, _)| pid)
    }

    /// What server and runners have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("stderr.log")).unwrap_or_default()
    }
}

fn is_program(line: &str, program: &str) -> bool {
    line.split(' ').next().and_then(|it| it.rsplit('/').next()) == Some(program)
}

impl Drop for Dev {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = lines.len().saturating_sub(120);
            eprintln!(
                "--- the end of the server's log ---\n{}",
                lines[last..].join("\n")
            );
        }
        self.power_cut();
    }
}

fn spawn(
    options: &Options,
    directory: &Path,
    addresses: Option<&(String, String)>,
) -> (Child, Facts) {
    let any = ("127.0.0.1:0".to_owned(), options.gateway.clone());
    let (listen, gateway) = addresses.unwrap_or(&any);
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("stderr.log"))
        .unwrap();
    let mut command = Command::new(binaries().join("terrane"));
    command.args([
        "dev",
        "--json",
        "--empty",
        "--listen",
        listen,
        "--gateway",
        gateway,
    ]);
    command.arg("--data-dir").arg(directory.join("data"));
    command.args([
        "--executor",
        options.executor,
        "--runners",
        &options.runners.to_string(),
    ]);
    if let Some(database) = &options.database {
        command.args(["--database", database]);
    }
    command
        .args(&options.arguments)
        .envs(options.environment.iter().cloned());
    if options.provider {
        let mirror = testkit::programs::provider_mirror();
        command.env("TERRANE_RUNNER_MIRROR", mirror);
    }
    command
        .env_remove("TF_CLI_CONFIG_FILE")
        .env_remove("SSL_CERT_FILE");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_else(|| {
        let log = std::fs::read_to_string(directory.join("stderr.log")).unwrap_or_default();
        panic!(
            "terrane dev ended before it could serve: {:?}\n{log}",
            child.wait()
        )
    });
    let facts = serde_json::from_str(&first)
        .unwrap_or_else(|error| panic!("the first line is not as promised ({error}): {first}"));
    std::thread::spawn(move || lines.for_each(drop));
    (child, facts)
}

/// Where `terrane` and its kin are.
#[expect(
    clippy::disallowed_methods,
    reason = "lets packaged binaries be tested"
)]
pub(crate) fn binaries() -> PathBuf {
    std::env::var("TERRANE_BIN_DIR").map_or_else(|_| Tree::here().binaries(), PathBuf::from)
}

/// Runs `terrane ARGUMENTS`, one of the operator's commands.
pub fn terrane(arguments: &[&str], environment: &[(&str, &str)]) -> std::process::Output {
    Command::new(binaries().join("terrane"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}
