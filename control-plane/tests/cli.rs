//! The program `terrane` as a process: exit codes, streams, and what `dev` keeps over restarts.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod policies;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

#[test]
fn every_mistake_in_the_configuration_is_listed_and_exits_with_64() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("terrane.toml");
    std::fs::write(&file, "[server]\nlisen = 'x'\n[log]\nformat = 'xml'\n").unwrap();

    let output = terrane()
        .args(["serve", "--check-config", "--config"])
        .arg(&file)
        .env("TERRANE__RUNS__TIMEOUT_MINUTES", "soon")
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(64));
    let text = stderr(&output);
    for part in [
        "server.public_url",
        "server.lisen",
        "log.format",
        "TERRANE__RUNS__TIMEOUT",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn serve_refuses_to_start_without_an_installation_key() {
    let output = terrane()
        .arg("serve")
        .env("TERRANE__SERVER__PUBLIC_URL", "http://terrane.example.com")
        .env("TERRANE__SERVER__HTTP_ONLY", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        stderr(&output).contains("keys.installation_key: must be set"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_api_document_is_printed() {
    let output = terrane().arg("openapi").output().unwrap();
    assert!(output.status.success());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["paths"]["/api/v2/ping"].is_object());
}

#[test]
fn dev_carries_on_where_it_was() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");

    let mut first = Dev::start(&data);
    let facts = first.facts.clone();
    assert!(
        facts["url"]
            .as_str()
            .unwrap()
            .starts_with("https://localhost:")
    );
    assert_eq!(facts["environment"], "demo");
    assert_eq!(facts["pid"], first.child.id());
    assert_eq!(facts["runner_pids"], serde_json::json!([]));
    let ca = std::fs::read(facts["ca_file"].as_str().unwrap()).unwrap();
    let password = std::fs::read(facts["admin_password_file"].as_str().unwrap()).unwrap();
    let rc = std::fs::read_to_string(facts["cli_config_file"].as_str().unwrap()).unwrap();
    let host = facts["url"]
        .as_str()
        .unwrap()
        .trim_start_matches("https://");
    assert!(rc.contains(&format!("credentials \"{host}\"")), "{rc}");
    assert!(first.get("/readyz").contains("\"ready\":true"));
    first.terminate();

    let mut second = Dev::start(&data);
    let again = second.facts.clone();
    assert_eq!(again["token"], facts["token"]);
    assert_eq!(
        std::fs::read(again["ca_file"].as_str().unwrap()).unwrap(),
        ca
    );
    let kept = std::fs::read(again["admin_password_file"].as_str().unwrap()).unwrap();
    assert_eq!(kept, password);
    second.terminate();
}

#[test]
fn a_lost_token_is_replaced() {
    let directory = TempDir::new().unwrap();
    let mut first = Dev::start(directory.path());
    let token = first.facts["token"].clone();
    first.terminate();
    std::fs::remove_file(directory.path().join("token")).unwrap();
    let mut second = Dev::start(directory.path());
    assert_ne!(second.facts["token"], token);
    second.terminate();
}

#[test]
fn two_dev_processes_dont_share_a_directory() {
    let directory = TempDir::new().unwrap();
    let mut first = Dev::start(directory.path());
    let output = dev(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("another `terrane dev`"),
        "{}",
        stderr(&output)
    );
    first.terminate();
}

/// A running `terrane dev`.
struct Dev {
    child: Child,
    facts: Value,
}

impl Dev {
    fn start(data: &Path) -> Self {
        let mut child = dev(data).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let facts = serde_json::from_str(&line).unwrap_or_else(|error| {
            let _ = child.kill();
            panic!("the first line is no JSON ({error}): {line:?}")
        });
        Self { child, facts }
    }

    /// A page of the admin port.
    fn get(&self, path: &str) -> String {
        let address = self.facts["admin_url"]
            .as_str()
            .unwrap()
            .trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// SIGTERM; the process must end in order.
    fn terminate(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dev(data: &Path) -> Command {
    let mut command = terrane();
    command
        .args(["dev", "--json", "--empty", "--no-runner", "--data-dir"])
        .arg(data)
        .args(["--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0"]);
    command
}

/// The program, in an environment that says nothing to it.
fn terrane() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terrane"));
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TERRANE__") {
            command.env_remove(name);
        }
    }
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
