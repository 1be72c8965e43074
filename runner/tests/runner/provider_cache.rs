//! The provider cache, with a registry of the test's own and the real terraform's init.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine;
use link::ca::RunnerCa;
use protocol::v1::*;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::jobs::{job, plan, settings, slug};
use crate::machine::Machine;
use crate::plane::{Plane, now};

const NAME: &str = "terraform-provider-tiny_1.0.0";
/// The signing key of the fixtures.
const KEY_ID: &str = "A5C910E6E8E98F80";

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

fn archive() -> String {
    format!("{NAME}_linux_{}.zip", arch())
}

fn fixture(name: &str) -> Vec<u8> {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/runner");
    let directory = if name == "key.asc" {
        "release"
    } else {
        "provider"
    };
    std::fs::read(tests.join(directory).join(name)).unwrap()
}

/// How the registry behaves, and what it was asked.
#[derive(Default)]
struct Habits {
    /// Archives that terraform downloaded, and that the runner did.
    by_terraform: AtomicU32,
    by_runner: AtomicU32,
    /// Gives the runner half of an archive and no more.
    stalls: AtomicBool,
    /// Gives the runner an archive that was changed.
    lies: AtomicBool,
}

struct Registry {
    host: String,
    ca_pem: String,
    habits: Arc<Habits>,
}

impl Registry {
    fn start() -> Self {
        let (from, until) = (
            now() - chrono::TimeDelta::days(1),
            now() + chrono::TimeDelta::days(9),
        );
        let ca = RunnerCa::generate(from, until).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = ca.issue_server(&names, from, until).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.key.expose().clone()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(made.chain, key)
            .unwrap();
        let tls = Arc::new(tls);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let habits = Arc::new(Habits::default());
        let shared = Arc::clone(&habits);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, habits) = (Arc::clone(&tls), Arc::clone(&shared));
                std::thread::spawn(move || answer(stream, tls, &habits));
            }
        });
        let body = base64::engine::general_purpose::STANDARD.encode(ca.certificate());
        let ca_pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        Self {
            host,
            ca_pem,
            habits,
        }
    }

    fn runner(&self, plane: &Plane, scratch: &std::path::Path) -> Option<Machine> {
        let ca = scratch.join("ca.pem");
        std::fs::write(&ca, &self.ca_pem).unwrap();
        Machine::start_in(
            plane,
            &["--provider-cache-host", &self.host],
            &[("SSL_CERT_FILE", ca.to_str().unwrap())],
        )
    }

    /// Queues a plan that needs the provider.
    fn queue(&self, plane: &Plane, id: &str) {
        let config = format!(
            "terraform {{\n  required_providers {{\n    tiny = {{\n      source  = \"{}/acme/tiny\"\n      version = \"1.0.0\"\n    }}\n  }}\n}}\n",
            self.host
        );
        let mut settings = settings();
        settings.variables.push(Variable {
            key: "SSL_CERT_FILE".into(),
            value: "ca.pem".into(),
            environment: true,
            ..Variable::default()
        });
        let files = slug(&[("main.tf", &config), ("ca.pem", &self.ca_pem)]);
        plane.queue(job(id, plan(settings)), &[("configuration", files)]);
    }

    async fn planned(&self, plane: &Plane, id: &str) {
        self.queue(plane, id);
        ended_after_init(plane, id).await;
    }

    fn cached(&self, machine: &Machine) -> PathBuf {
        let mirror = machine.data.path().join("providers/mirror");
        mirror.join(&self.host).join("acme/tiny").join(archive())
    }

    fn downloads(&self) -> (u32, u32) {
        let load = |it: &AtomicU32| it.load(Ordering::SeqCst);
        (
            load(&self.habits.by_terraform),
            load(&self.habits.by_runner),
        )
    }
}

/// The provider can be installed and does nothing, so init is all that can be expected of a plan.
async fn ended_after_init(plane: &Plane, id: &str) {
    let done = plane.completion(id).await;
    let text = plane.with(id, |held| held.log("text"));
    assert!(
        !done.error.contains("init ended"),
        "{id}: {}\n{text}",
        done.error
    );
}

fn answer(stream: TcpStream, tls: Arc<rustls::ServerConfig>, habits: &Habits) {
    let connection = rustls::ServerConnection::new(tls).unwrap();
    let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => lines.push(line),
        }
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let is_terraform = lines.iter().any(|line| {
        line.to_ascii_lowercase()
            .starts_with("user-agent: terraform")
    });
    let json = |value: serde_json::Value| Some(serde_json::to_vec(&value).unwrap());
    let download = format!("/v1/providers/acme/tiny/1.0.0/download/linux/{}", arch());
    let body = match path.as_str() {
        "/.well-known/terraform.json" => {
            json(serde_json::json!({"providers.v1": "/v1/providers/"}))
        }
        "/v1/providers/acme/tiny/versions" => json(serde_json::json!({"versions": [{
            "version": "1.0.0", "protocols": ["5.0"],
            "platforms": [{"os": "linux", "arch": arch()}],
        }]})),
        path if path == download => json(description()),
        path => path.strip_prefix("/files/").map(fixture),
    };
    let (status, mut body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    if path.ends_with(".zip") {
        if is_terraform {
            habits.by_terraform.fetch_add(1, Ordering::SeqCst);
        } else {
            habits.by_runner.fetch_add(1, Ordering::SeqCst);
            if habits.lies.load(Ordering::SeqCst) {
                body[40] ^= 1;
            }
            if habits.stalls.load(Ordering::SeqCst) {
                body.truncate(length / 2);
            }
        }
    }
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let stream = stream.get_mut();
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
    let _ = stream.flush();
    while body.len() < length && habits.stalls.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
    }
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn description() -> serde_json::Value {
    let sums = String::from_utf8(fixture(&format!("{NAME}_SHA256SUMS"))).unwrap();
    let line = sums.lines().find(|line| line.contains(&archive())).unwrap();
    let key = String::from_utf8(fixture("key.asc")).unwrap();
    serde_json::json!({
        "protocols": ["5.0"], "os": "linux", "arch": arch(), "filename": archive(),
        "download_url": format!("/files/{}", archive()),
        "shasum": line.split(' ').next().unwrap(),
        "shasums_url": format!("/files/{NAME}_SHA256SUMS"),
        "shasums_signature_url": format!("/files/{NAME}_SHA256SUMS.sig"),
        "signing_keys": {"gpg_public_keys": [{"key_id": KEY_ID, "ascii_armor": key}]},
    })
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), waiting).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_jobs_downloaded_is_there_for_the_third() {
    let plane = Plane::start().await;
    let (registry, scratch) = (Registry::start(), tempfile::tempdir().unwrap());
    let Some(machine) = registry.runner(&plane, scratch.path()) else {
        return;
    };
    registry.queue(&plane, "job-1");
    registry.queue(&plane, "job-2");
    ended_after_init(&plane, "job-1").await;
    ended_after_init(&plane, "job-2").await;
    let cached = registry.cached(&machine);
    until("the provider is cached", || cached.is_file()).await;
    assert_eq!(std::fs::read(&cached).unwrap(), fixture(&archive()));
    let before = registry.downloads();
    assert!(before.0 >= 1);

    registry.planned(&plane, "job-3").await;
    assert_eq!(registry.downloads(), before, "nothing is downloaded again");

    // Garbled behind the runner's back: noticed, removed, and had again.
    std::fs::write(&cached, b"garbled").unwrap();
    registry.planned(&plane, "job-4").await;
    assert!(
        registry.downloads().0 > before.0,
        "terraform had to download it"
    );
    until("it is cached again", || {
        std::fs::read(&cached).is_ok_and(|content| content == fixture(&archive()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_while_the_cache_is_filled_leaves_nothing_half() {
    let plane = Plane::start().await;
    let (registry, scratch) = (Registry::start(), tempfile::tempdir().unwrap());
    registry.habits.stalls.store(true, Ordering::SeqCst);
    let Some(mut machine) = registry.runner(&plane, scratch.path()) else {
        return;
    };
    registry.planned(&plane, "job-1").await;
    let filling = machine.data.path().join("providers/filling");
    let is_filling = || std::fs::read_dir(&filling).is_ok_and(|mut it| it.next().is_some());
    until("half of it is there", is_filling).await;
    machine.kill();
    assert!(is_filling() && !registry.cached(&machine).exists());
    registry.habits.stalls.store(false, Ordering::SeqCst);

    machine.run();
    registry.planned(&plane, "job-2").await;
    let cached = registry.cached(&machine);
    until("the provider is cached", || cached.is_file()).await;
    until("nothing is being filled", || !is_filling()).await;
    assert_eq!(std::fs::read(&cached).unwrap(), fixture(&archive()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_was_not_signed_is_not_cached() {
    let plane = Plane::start().await;
    let (registry, scratch) = (Registry::start(), tempfile::tempdir().unwrap());
    registry.habits.lies.store(true, Ordering::SeqCst);
    let Some(machine) = registry.runner(&plane, scratch.path()) else {
        return;
    };
    registry.planned(&plane, "job-1").await;
    until("the runner has had it", || registry.downloads().1 > 0).await;
    let filling = machine.data.path().join("providers/filling");
    until("it has been thrown away", || {
        std::fs::read_dir(&filling).is_ok_and(|mut it| it.next().is_none())
    })
    .await;
    assert!(!registry.cached(&machine).exists());
}
