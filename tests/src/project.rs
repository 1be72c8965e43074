//! A configuration directory and the terraform CLI in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use testkit::{Recorder, Terminal};

use crate::Dev;

/// How the configuration names its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Cloud,
    CloudTags,
    Remote,
    RemotePrefix,
}

/// One configuration of one user.
pub struct Project {
    directory: TempDir,
    host: String,
    organization: String,
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    /// stdout, then stderr.
    pub output: String,
    pub stdout: String,
}

impl Project {
    /// Talks to the server directly.
    pub fn new(dev: &Dev) -> Self {
        let host = dev.host().to_owned();
        Self::at(dev, host, &dev.facts.ca_file, &dev.facts.token)
    }

    /// Talks to the server through a recorder.
    pub fn recorded(dev: &Dev, recorder: &Recorder) -> Self {
        let host = format!("localhost:{}", recorder.port());
        Self::at(dev, host, recorder.ca_file(), &dev.facts.token)
    }

    fn at(dev: &Dev, host: String, ca_file: &Path, token: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir_all(home.join(".terraform.d")).unwrap();
        std::fs::create_dir_all(directory.path().join("config")).unwrap();
        let mirror = testkit::programs::provider_mirror();
        let cli = format!(
            "credentials \"{host}\" {{\n  token = \"{token}\"\n}}\n{}",
            workshop::provider::cli_configuration(&mirror)
        );
        let cli_file = directory.path().join("cli.tfrc");
        std::fs::write(&cli_file, cli).unwrap();
        let variable = |name: &str, value: &Path| (name.to_owned(), value.display().to_string());
        let environment = vec![
            variable("TF_CLI_CONFIG_FILE", &cli_file),
            variable("SSL_CERT_FILE", ca_file),
            variable("HOME", &home),
            ("CHECKPOINT_DISABLE".to_owned(), "1".to_owned()),
        ];
        let organization = dev.facts.environment.clone();
        Self {
            directory,
            host,
            organization,
            environment,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sets an environment variable for the commands that follow; to terraform an empty one is
    /// the same as none.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn write(&self, name: &str, content: &str) -> &Self {
        std::fs::write(self.path().join(name), content).unwrap();
        self
    }

    /// Writes `backend.tf`; `name` is a workspace, a tag or a prefix.
    pub fn backend(&self, backend: Backend, name: &str) -> &Self {
        let (block, workspaces) = match backend {
            Backend::Cloud => ("cloud", format!("name = \"{name}\"")),
            Backend::CloudTags => ("cloud", format!("tags = [\"{name}\"]")),
            Backend::Remote => ("backend \"remote\"", format!("name = \"{name}\"")),
            Backend::RemotePrefix => ("backend \"remote\"", format!("prefix = \"{name}\"")),
        };
        let (host, organization) = (&self.host, &self.organization);
        self.write(
            "backend.tf",
            &format!(
                "terraform {{\n  {block} {{\n    hostname     = \"{host}\"\n    organization = \"{organization}\"\n    workspaces {{\n      {workspaces}\n    }}\n  }}\n}}\n"
            ),
        )
    }

    /// Runs `terraform ARGUMENTS` without a terminal.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        use std::io::Write;
        let mut command = Command::new(testkit::programs::terraform());
        command
            .args(arguments)
            .current_dir(self.path())
            .envs(self.environment.iter().cloned());
        command.env("TF_CLI_ARGS", "-no-color");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may have closed its end already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().unwrap_or(-1);
        Ran {
            code,
            output: format!("{stdout}{stderr}"),
            stdout,
        }
    }

    /// Runs a command that must succeed; gives its stdout.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.exits(0, arguments).stdout
    }

    /// Runs a command that must end with this code.
    #[track_caller]
    pub fn exits(&self, code: i32, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(
            ran.code,
            code,
            "terraform {}:\n{}",
            arguments.join(" "),
            ran.output
        );
        ran
    }

    /// Starts `terraform ARGUMENTS` on a terminal.
    pub fn terminal(&self, arguments: &[&str]) -> Terminal {
        let terraform = testkit::programs::terraform();
        Terminal::start(&self.path(), &terraform, arguments, &self.environment)
    }

    /// Types answers into a command that must succeed: pairs of what it prints and what is typed.
    #[track_caller]
    pub fn answer(&self, arguments: &[&str], answers: &[(&str, &str)]) -> String {
        let mut terminal = self.terminal(arguments);
        for (prompt, answer) in answers {
            terminal.expect(prompt).type_line(answer);
        }
        let (status, transcript) = terminal.finish();
        assert_eq!(
            status.code(),
            Some(0),
            "terraform {}:\n{transcript}",
            arguments.join(" ")
        );
        transcript
    }
}
