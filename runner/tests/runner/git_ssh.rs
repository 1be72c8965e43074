//! Fetch jobs against a real sshd on loopback.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use protocol::v1::complete_request::Outcome;
use protocol::v1::*;

use crate::git::{files, git};
use crate::jobs::job;
use crate::machine::{Machine, skip};
use crate::plane::Plane;

const SSHD: &str = "/usr/sbin/sshd";
const PATIENCE: Duration = Duration::from_secs(30);

/// An sshd that lets one key in, to git's commands alone. It ends when dropped.
struct Sshd {
    directory: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Sshd {
    /// None, said aloud, where there is no sshd.
    fn start() -> Option<Self> {
        if !Path::new(SSHD).exists() {
            skip("openssh-server");
            return None;
        }
        if rustix::process::geteuid().is_root() {
            // Where the package's service would have made it.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        for name in ["host", "key", "other"] {
            keygen(&place.join(name));
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let at = place.display();
        let mut text = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\n\
             AuthorizedKeysFile {at}/key.pub\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nAcceptEnv GIT_PROTOCOL\n"
        );
        writeln!(text, "ForceCommand git-shell -c \"$SSH_ORIGINAL_COMMAND\"").unwrap();
        std::fs::write(place.join("config"), text).unwrap();
        let process = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(place.join("config"))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(place.join("log")).unwrap())
            .spawn()
            .unwrap();
        let it = Self {
            directory,
            port,
            process,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{}", it.read("log"));
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(it)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    /// A line of known hosts, with the key in this file.
    fn known(&self, name: &str) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.read(name))
    }

    fn url(&self, repository: &Path) -> String {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        let path = repository.display();
        format!("ssh://{}@127.0.0.1:{}{path}", user.trim(), self.port)
    }

    fn work(&self, repository: &Path) -> FetchWork {
        FetchWork {
            url: self.url(repository),
            reference: "main".to_owned(),
            token: self.read("key"),
            known_hosts: self.known("host.pub"),
            ..FetchWork::default()
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn keygen(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
}

/// A repository with two commits, a submodule in the second; the first commit's id.
fn repositories(place: &Path) -> (PathBuf, String) {
    let (main, module) = (place.join("main"), place.join("module"));
    for path in [&main, &module] {
        std::fs::create_dir(path).unwrap();
        git(path, &["init", "--quiet"]);
        std::fs::write(path.join("main.tf"), "output \"v\" { value = 1 }").unwrap();
        git(path, &["add", "."]);
        git(path, &["commit", "--quiet", "--message", "first"]);
    }
    let first = git(&main, &["rev-parse", "HEAD"]);
    let allow = ["-c", "protocol.file.allow=always"];
    let from = module.to_str().unwrap();
    let add = [
        "submodule",
        "--quiet",
        "add",
        "--name",
        "m",
        "--",
        from,
        "m",
    ];
    git(&main, &[&allow[..], &add].concat());
    git(
        &main,
        &[
            "config",
            "-f",
            ".gitmodules",
            "submodule.m.url",
            "../module",
        ],
    );
    git(
        &main,
        &["commit", "--quiet", "--all", "--message", "second"],
    );
    (main, first)
}

fn names(plane: &Plane, id: &str) -> Vec<String> {
    let archive = plane.with(id, |held| {
        held.upload("configuration").unwrap().data.clone()
    });
    let mut names: Vec<_> = files(&archive).into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_over_ssh_are_fetched() {
    let Some(sshd) = Sshd::start() else {
        return;
    };
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let (main, first) = repositories(place.path());
    let second = git(&main, &["rev-parse", "HEAD"]);
    let work = || sshd.work(&main);
    let pinned = FetchWork {
        commit: first.clone(),
        ..work()
    };
    let default = FetchWork {
        reference: String::new(),
        ..work()
    };
    let with_submodules = FetchWork {
        submodules: true,
        ..work()
    };
    for (id, work, commit, expected) in [
        (
            "job-branch",
            work(),
            &second,
            vec![".gitmodules", "main.tf"],
        ),
        ("job-pinned", pinned, &first, vec!["main.tf"]),
        (
            "job-default",
            default,
            &second,
            vec![".gitmodules", "main.tf"],
        ),
        (
            "job-modules",
            with_submodules,
            &second,
            vec![".gitmodules", "m/main.tf", "main.tf"],
        ),
    ] {
        plane.queue(job(id, job::Work::Fetch(work)), &[]);
        let done = plane.completion(id).await;
        assert_eq!(done.outcome(), Outcome::Succeeded, "{id}: {}", done.error);
        let result = done.fetch.unwrap();
        assert_eq!(
            (&result.commit, result.branch.as_str()),
            (commit, "main"),
            "{id}"
        );
        let mut found = names(&plane, id);
        if id != "job-modules" {
            found.retain(|name| name != "m" && name != "m/");
        }
        assert_eq!(found, expected, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_repository_over_ssh_from_being_fetched_is_said() {
    let Some(sshd) = Sshd::start() else {
        return;
    };
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let (main, _) = repositories(place.path());
    let work = || sshd.work(&main);
    let other_host = FetchWork {
        known_hosts: sshd.known("other.pub"),
        ..work()
    };
    let unknown_host = FetchWork {
        known_hosts: sshd.known("host.pub").replace("127.0.0.1", "127.0.0.2"),
        ..work()
    };
    let no_hosts = FetchWork {
        known_hosts: String::new(),
        ..work()
    };
    let other_key = FetchWork {
        token: sshd.read("other"),
        ..work()
    };
    let bad_key = FetchWork {
        token: "-----BEGIN OPENSSH PRIVATE KEY-----\nbm9uZQ==\n-----END OPENSSH PRIVATE KEY-----"
            .to_owned(),
        ..work()
    };
    let no_key = FetchWork {
        token: "a-token".to_owned(),
        ..work()
    };
    let no_branch = FetchWork {
        reference: "gone".to_owned(),
        ..work()
    };
    let no_repository = sshd.work(&place.path().join("nowhere"));
    for (id, work, said) in [
        ("job-other-host", other_host, "known hosts"),
        ("job-unknown-host", unknown_host, "known hosts"),
        ("job-no-hosts", no_hosts, "ssh-keyscan 127.0.0.1"),
        ("job-other-key", other_key, "refuses the private key"),
        ("job-bad-key", bad_key, "can't be read"),
        ("job-no-key", no_key, "needs a private key"),
        (
            "job-no-branch",
            no_branch,
            "no branch, tag or commit \"gone\"",
        ),
        (
            "job-nowhere",
            no_repository,
            "does not appear to be a git repository",
        ),
    ] {
        plane.queue(job(id, job::Work::Fetch(work)), &[]);
        let done = plane.completion(id).await;
        assert_eq!(done.outcome(), Outcome::Failed, "{id}");
        assert!(done.error.contains(said), "{id}: {}", done.error);
        assert!(!done.error.contains("PRIVATE KEY-----"), "{id}");
    }
}
