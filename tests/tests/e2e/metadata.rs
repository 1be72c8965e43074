//! A job must not reach the address where clouds keep a machine's credentials.
//!
//! The address is put on this machine's loopback interface with a service behind it that answers
//! everyone, so a job that is not kept away would be answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use tests::wait;

use crate::jobs::sandbox;

const METADATA: &str = "169.254.169.254";
/// Answers from the same place, to show that a job can ask at all.
const OTHER: &str = "169.254.169.253";

/// The service; it goes with this.
struct Metadata;

impl Metadata {
    /// `None`, after saying so, where this machine's addresses can't be changed.
    fn start() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            testkit::skip("root, to put the metadata address on this machine");
            return None;
        }
        let service = Self;
        for address in [METADATA, OTHER] {
            ip(&["address", "replace", address, "dev", "lo"]);
            let mut listener = None;
            wait::blocking("the address can be listened on", || {
                listener = TcpListener::bind((address, 80)).ok();
                listener.is_some()
            });
            let listener = listener.unwrap();
            std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
        }
        Some(service)
    }

    /// Whether it answers to a process that nobody keeps away.
    fn answers() -> bool {
        let address: SocketAddr = format!("{METADATA}:80").parse().unwrap();
        let Ok(mut stream) = TcpStream::connect_timeout(&address, wait::PATIENCE) else {
            return false;
        };
        let mut text = String::new();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
            && stream.read_to_string(&mut text).is_ok()
            && text.contains("credentials")
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        for address in [METADATA, OTHER] {
            ip(&["address", "delete", &format!("{address}/32"), "dev", "lo"]);
        }
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status();
    let done = status.is_ok_and(|status| status.success());
    assert!(
        done || std::thread::panicking(),
        "ip {}",
        arguments.join(" ")
    );
}

fn answer(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\ncredentials");
}

async fn out_of_reach(executor: &'static str) {
    let Some(_service) = Metadata::start() else {
        return;
    };
    let script = include_str!("metadata.sh").replace("@OTHER_ADDRESS@", OTHER);
    assert!(Metadata::answers());
    sandbox(executor, &script, 2).await;
    assert!(Metadata::answers(), "it is kept from jobs alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_address_is_out_of_reach() {
    out_of_reach("process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_address_is_out_of_reach_of_containers() {
    if !testkit::programs::docker() {
        return testkit::skip("a Docker daemon");
    }
    out_of_reach("docker").await;
}
