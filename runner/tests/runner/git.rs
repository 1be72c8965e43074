//! Fetch jobs against a small smart-HTTP server over the real git.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use protocol::v1::complete_request::Outcome;
use protocol::v1::*;

use crate::jobs::job;
use crate::machine::Machine;
use crate::plane::Plane;

pub(crate) const TOKEN: &str = "git-token-of-the-test";

pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with two commits, and the id of the first.
fn repository() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    git(path, &["init", "--quiet"]);
    std::fs::create_dir(path.join("net")).unwrap();
    std::fs::write(path.join("net/main.tf"), "output \"v\" { value = 1 }").unwrap();
    std::os::unix::fs::symlink("net/main.tf", path.join("link.tf")).unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "--quiet", "--message", "first"]);
    let first = git(path, &["rev-parse", "HEAD"]);
    std::fs::write(path.join("net/main.tf"), "output \"v\" { value = 2 }").unwrap();
    git(path, &["commit", "--quiet", "--all", "--message", "second"]);
    git(
        path,
        &["config", "uploadpack.allowReachableSHA1InWant", "true"],
    );
    (directory, first)
}

/// What a server has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served {
    /// By the first part of their address.
    pub(crate) repositories: BTreeMap<String, PathBuf>,
    /// Files of Git LFS by their id.
    pub(crate) large: BTreeMap<String, Vec<u8>>,
    /// The only token it takes; any if empty.
    pub(crate) token: String,
}

/// Serves a repository until the test's process ends.
fn serve(repository: PathBuf) -> String {
    let served = Served {
        repositories: [("repository".to_owned(), repository)].into(),
        ..Served::default()
    };
    format!("{}/repository", serve_all(served))
}

/// Serves until the test's process ends; gives the server's address.
pub(crate) fn serve_all(served: Served) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let base = format!("http://{address}");
    let own = base.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (served, own) = (served.clone(), own.clone());
            std::thread::spawn(move || answer(stream, &served, &own));
        }
    });
    base
}

/// What Git LFS asks: where an object is, and the object.
fn large(served: &Served, base: &str, path: &str, body: &[u8]) -> Vec<u8> {
    if let Some(id) = path.strip_prefix("/large/") {
        return served.large[id].clone();
    }
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap();
    let objects = asked["objects"].as_array().unwrap().iter().map(|it| {
        let id = it["oid"].as_str().unwrap();
        let action = serde_json::json!({"download": {"href": format!("{base}/large/{id}")}});
        serde_json::json!({"oid": id, "size": it["size"], "authenticated": true, "actions": action})
    });
    let objects: Vec<_> = objects.collect();
    serde_json::to_vec(&serde_json::json!({"transfer": "basic", "objects": objects})).unwrap()
}

fn answer(stream: TcpStream, served: &Served, base: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let (mut length, mut authorized) = (0_usize, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if let Some(pair) = line.strip_prefix("Authorization: Basic ") {
            authorized = takes(served, pair.trim());
        } else if let Some(pair) = line.strip_prefix("authorization: Basic ") {
            authorized = takes(served, pair.trim());
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let moved = first.contains("/moved/");
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let name = path
        .trim_start_matches('/')
        .split(['/', '.'])
        .next()
        .unwrap_or_default();
    let repository = served.repositories.get(name).cloned().unwrap_or_default();
    let (status, content) = if moved {
        (
            "301 Moved\r\nLocation: http://elsewhere.example/",
            Vec::new(),
        )
    } else if !authorized {
        ("401 Unauthorized\r\nWWW-Authenticate: Basic", Vec::new())
    } else if path.starts_with("/large/") || path.contains("/info/lfs/") {
        (
            "200 OK\r\nContent-Type: application/vnd.git-lfs+json",
            large(served, base, &path, &body),
        )
    } else if first.starts_with("GET") {
        let mut content = b"001e# service=git-upload-pack\n0000".to_vec();
        content.extend(upload_pack(&repository, &["--advertise-refs"], &[]));
        let head = "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement";
        (head, content)
    } else {
        let head = "200 OK\r\nContent-Type: application/x-git-upload-pack-result";
        (head, upload_pack(&repository, &[], &body))
    };
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&content);
}

fn takes(served: &Served, pair: &str) -> bool {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD
        .decode(pair)
        .unwrap();
    let pair = String::from_utf8(pair).unwrap();
    served.token.is_empty() || pair.ends_with(&format!(":{}", served.token))
}

fn upload_pack(repository: &Path, arguments: &[&str], body: &[u8]) -> Vec<u8> {
    let mut child = Command::new("git")
        .args(["upload-pack", "--stateless-rpc"])
        .args(arguments)
        .arg(repository)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    child.wait_with_output().unwrap().stdout
}

pub(crate) fn work(url: &str, reference: &str, commit: &str) -> FetchWork {
    FetchWork {
        url: url.into(),
        reference: reference.into(),
        commit: commit.into(),
        token: TOKEN.into(),
        ..FetchWork::default()
    }
}

pub(crate) fn files(archive: &[u8]) -> Vec<(String, String)> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        (entry.path().unwrap().display().to_string(), content)
    });
    entries.filter(|(_, content)| !content.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_fetched_and_packed() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let (repository, first) = repository();
    let url = serve(repository.path().to_owned());
    for (id, reference, commit, value) in [
        ("job-branch", "main", "", "2"),
        ("job-default", "", "", "2"),
        ("job-pinned", "main", first.as_str(), "1"),
        ("job-commit", first.as_str(), "", "1"),
    ] {
        plane.queue(
            job(id, job::Work::Fetch(work(&url, reference, commit))),
            &[],
        );
        let done = plane.completion(id).await;
        assert_eq!(done.outcome(), Outcome::Succeeded, "{id}: {}", done.error);
        let result = done.fetch.unwrap();
        assert_eq!((result.author.as_str(), result.commit.len()), ("Ada", 40));
        let archive = plane.with(id, |held| {
            held.upload("configuration").unwrap().data.clone()
        });
        let expected = format!("output \"v\" {{ value = {value} }}");
        assert_eq!(
            files(&archive),
            [("net/main.tf".to_owned(), expected)],
            "{id}"
        );
    }
    let branch = plane.with("job-branch", |held| {
        held.completed.clone().unwrap().fetch.unwrap()
    });
    assert_eq!(
        (branch.branch.as_str(), branch.message.trim()),
        ("main", "second")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_fetched_is_said() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let (repository, _) = repository();
    let url = serve(repository.path().to_owned());
    let anonymous = FetchWork {
        token: String::new(),
        ..work(&url, "main", "")
    };
    let moved = work(&url.replace("/repository", "/moved/repository"), "main", "");
    for (id, work, said) in [
        (
            "job-none",
            work(&url, "gone", ""),
            "no branch, tag or commit \"gone\"",
        ),
        ("job-anonymous", anonymous, "refuses the credentials"),
        ("job-moved", moved, "has moved"),
        (
            "job-ssh",
            work("git@example.org:a/b.git", "main", ""),
            "SSH",
        ),
        ("job-file", work("file:///etc", "main", ""), "https://"),
        (
            "job-closed",
            work("http://127.0.0.1:1/a", "main", ""),
            "can't be reached",
        ),
    ] {
        plane.queue(job(id, job::Work::Fetch(work)), &[]);
        let done = plane.completion(id).await;
        assert_eq!(done.outcome(), Outcome::Failed, "{id}");
        assert!(done.error.contains(said), "{id}: {}", done.error);
        assert!(!done.error.contains(TOKEN), "{id}");
    }
}
