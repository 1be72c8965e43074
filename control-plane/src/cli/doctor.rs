//! `terrane doctor`: looks at everything that an installation needs, one line each.
//!
//! Every check is made, also after one has failed: the operator wants the whole list.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::failure::{Failure, chain};
use super::serve::ConfigFile;
use super::{installation, say};
use crate::config::Config;
use crate::serve::{CertificateFiles, LiveCertificate};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// What a check found: fine, or what to do about it.
type Finding = Result<String, String>;

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.load()?;
    let findings = [
        ("configuration", Ok("no mistakes".to_owned())),
        ("database", database(&config).await),
        ("blobs", blobs(&config).await),
        ("installation key", key(&config)),
        ("certificate", certificate(&config).await),
        ("public port", port(config.server.listen, false)),
        ("gateway port", port(config.gateway.listen, true)),
        ("admin port", admin_port(&config)),
    ];
    let mut failed = 0;
    for (what, finding) in findings {
        match finding {
            Ok(found) => say::result(&format!("ok    {what}: {found}")),
            Err(problem) => {
                failed += 1;
                say::result(&format!("FAIL  {what}: {problem}"));
            }
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn database(config: &Config) -> Finding {
    let db = installation::connect(config)
        .await
        .map_err(|error| chain(&error))?;
    let asked = async { db.acquire().await?.database_now().await }.await;
    db.close().await;
    let now = asked.map_err(|error| chain(&error))?;
    Ok(format!("answers; its clock says {now}"))
}

async fn blobs(config: &Config) -> Finding {
    let store = installation::blobs(config).map_err(|error| chain(&error))?;
    store.check().await.map_err(|error| chain(&error))?;
    Ok("a probe was written, read and deleted".to_owned())
}

fn key(config: &Config) -> Finding {
    let keyring = installation::keyring(config).map_err(|error| chain(&error))?;
    let id = keyring.current();
    Ok(format!(
        "{id}; a copy of it belongs in a place apart from the backups"
    ))
}

async fn certificate(config: &Config) -> Finding {
    let server = &config.server;
    let (Some(certificate), Some(key)) = (&server.tls_certificate_file, &server.tls_key_file)
    else {
        return Ok("none: a proxy does TLS".to_owned());
    };
    if is_readable_by_others(key) {
        return Err(format!(
            "{} can be read by others: chmod 600 it",
            key.display()
        ));
    }
    let files = CertificateFiles {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    LiveCertificate::load(files)
        .await
        .map_err(|error| chain(&error))?;
    Ok("certificate and key belong together".to_owned())
}

fn is_readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Whether the port is free, or taken by the control plane that is already running here.
fn port(address: std::net::SocketAddr, also_udp: bool) -> Finding {
    let tcp = TcpListener::bind(address);
    let udp = also_udp.then(|| UdpSocket::bind(address)).transpose();
    match (tcp, udp) {
        (Ok(_), Ok(_)) => Ok(format!("{address} is free")),
        (Err(error), _) | (_, Err(error)) if error.kind() == std::io::ErrorKind::AddrInUse => Ok(
            format!("{address} is in use, by a running control plane, one hopes"),
        ),
        (Err(error), _) | (_, Err(error)) => Err(format!("{address} can't be had: {error}")),
    }
}

fn admin_port(config: &Config) -> Finding {
    let address = config.admin.listen;
    let found = port(address, false)?;
    if address.ip().is_loopback() {
        return Ok(found);
    }
    Ok(format!(
        "{found}; it asks for no credentials, so keep strangers away from it"
    ))
}
