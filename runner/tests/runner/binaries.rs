//! terraform and tofu from a mirror: what is signed is taken, anything else ends the run at once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use protocol::v1::complete_request::Outcome;
use protocol::v1::*;

use crate::jobs::{job, plan, settings, slug};
use crate::machine::Machine;
use crate::plane::Plane;

/// A release made with GnuPG: checksum lists signed by a subkey of `key.asc`.
fn release() -> BTreeMap<String, Vec<u8>> {
    let directory = place();
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    });
    entries.collect()
}

fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/runner/release")
}

fn key() -> String {
    place().join("key.asc").to_string_lossy().into_owned()
}

/// Serves files by the last part of their path until the test's process ends.
fn mirror(files: BTreeMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            let _ = lines.map_while(Result::ok).find(String::is_empty);
            let path = first.split(' ').nth(1).unwrap_or_default();
            let known = ["/terraform/1.99.0/", "/v1.99.0/"];
            let name = known.iter().find_map(|it| path.strip_prefix(it));
            let (status, body) = match name.and_then(|name| files.get(name)) {
                Some(body) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", &b""[..]),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body);
        }
    });
    format!("http://{address}")
}

async fn planned(plane: &Plane, id: &str, engine: &str) -> CompleteRequest {
    let settings = TerraformSettings {
        engine: engine.into(),
        version: "1.99.0".into(),
        ..settings()
    };
    let config = slug(&[("main.tf", "")]);
    plane.queue(job(id, plan(settings)), &[("configuration", config)]);
    plane.completion(id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_release_is_taken() {
    let plane = Plane::start().await;
    let url = mirror(release());
    let key = key();
    let arguments = [
        "--terraform-mirror",
        &url,
        "--tofu-mirror",
        &url,
        "--release-keys",
        &key,
    ];
    let Some(machine) = Machine::start_with(&plane, &arguments) else {
        return;
    };
    for engine in ["terraform", "tofu"] {
        let id = format!("job-{engine}");
        let done = planned(&plane, &id, engine).await;
        // What was downloaded has been started; it can do no more.
        assert!(done.error.contains("exit code 9"), "{}", done.error);
        let text = plane.with(&id, |held| held.log("text"));
        assert!(text.contains("a binary of the tests can't plan"), "{text}");
        let path = machine
            .data
            .path()
            .join(format!("bin/{engine}/1.99.0/{engine}"));
        assert!(path.is_file());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_was_changed_ends_the_run() {
    let name = match std::env::consts::ARCH {
        "aarch64" => "terraform_1.99.0_linux_arm64.zip",
        _ => "terraform_1.99.0_linux_amd64.zip",
    };
    let (list, signature) = (
        "terraform_1.99.0_SHA256SUMS",
        "terraform_1.99.0_SHA256SUMS.sig",
    );
    let own = key();
    let mut archive = release();
    archive.get_mut(name).unwrap().push(0);
    let mut sums = release();
    sums.get_mut(list).unwrap()[3] ^= 1;
    let mut unsigned = release();
    unsigned.remove(signature);
    let cases = [
        (archive, Some(own.as_str()), "checksum of"),
        (sums, Some(own.as_str()), "--release-keys"),
        (unsigned, Some(own.as_str()), "404"),
        (release(), None, "none of the known release keys"),
    ];
    for (files, key, said) in cases {
        let plane = Plane::start().await;
        let url = mirror(files);
        let mut arguments = vec!["--terraform-mirror", &url];
        arguments.extend(key.iter().flat_map(|key| ["--release-keys", key]));
        let Some(machine) = Machine::start_with(&plane, &arguments) else {
            return;
        };
        let done = planned(&plane, "job-p", "terraform").await;
        assert_eq!(done.outcome(), Outcome::Failed, "{said}");
        assert!(done.error.contains(said), "{said}: {}", done.error);
        assert!(
            !machine.data.path().join("bin/terraform").exists(),
            "{said}"
        );
    }
}
