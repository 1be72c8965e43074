//! A state backend on loopback, for large states: terraform hands over each state whole, so none
//! is ever torn, and it writes far less often than to a file.
//!
//! Decided against an HTTP framework: five methods on one address, from one client, one request to
//! a connection.

mod request;
mod service;

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) use service::{Response, Service};

use crate::journal::LARGEST_STATE;

/// Connections served at once; terraform uses one or two.
const MOST_CONNECTIONS: usize = 16;
/// How long a client may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves `service` on 127.0.0.1 until the process ends; returns the port. 0 takes any.
///
/// # Errors
/// The port is taken, or there is no loopback.
pub(crate) fn serve(service: Arc<Service>, port: u16) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let port = listener.local_addr()?.port();
    std::thread::Builder::new()
        .name("backend".to_owned())
        .spawn(move || accept(&listener, &service))?;
    Ok(port)
}

/// The environment that makes terraform's `http` backend use this one.
pub(crate) fn environment(port: u16, path_secret: &str) -> Vec<(String, String)> {
    let address = format!("http://127.0.0.1:{port}/{path_secret}");
    [
        "TF_HTTP_ADDRESS",
        "TF_HTTP_LOCK_ADDRESS",
        "TF_HTTP_UNLOCK_ADDRESS",
    ]
    .map(|name| (name.to_owned(), address.clone()))
    .to_vec()
}

fn accept(listener: &TcpListener, service: &Arc<Service>) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of file descriptors, most likely: some will be given back.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (service, still_open) = (service.clone(), open.clone());
        let started = std::thread::Builder::new()
            .name("request".to_owned())
            .spawn(move || {
                // A client that went away needs no answer.
                let _ = handle(stream, &service);
                still_open.fetch_sub(1, Ordering::Relaxed);
            });
        if started.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn handle(mut stream: TcpStream, service: &Service) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let response = match request::read(&mut stream, LARGEST_STATE) {
        Ok(request) => service.answer(&request),
        Err(error) => match error.status() {
            Some(status) => Response::text(status, &error.to_string()),
            None => return Ok(()),
        },
    };
    let head = format!(
        "HTTP/1.1 {} -\r\nContent-Length: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
        response.status,
        response.body.len(),
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&response.body)?;
    stream.flush()
}
