//! Through an HTTP proxy by CONNECT (RFC 9110, 9.3.6). Proxies carry TCP only.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// A longer answer is not one of a proxy.
const MAX_ANSWER: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(15);

/// A proxy whose URL has been checked.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    authorization: Option<Secret<String>>,
}

impl Proxy {
    /// Takes `http://[user:password@]host[:port]`.
    pub(super) fn from_url(url: &Url) -> Result<Self, String> {
        if url.scheme() != "http" {
            return Err(format!(
                "the proxy must be given as http://host:port, not {}://",
                url.scheme()
            ));
        }
        let host = url.host_str().ok_or("the proxy's URL names no host")?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let authorization = (!url.username().is_empty()).then(|| {
            let user = percent_decode_str(url.username()).decode_utf8_lossy();
            let password = percent_decode_str(url.password().unwrap_or("")).decode_utf8_lossy();
            Secret::new(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{password}"))
            ))
        });
        Ok(Self {
            host,
            port,
            authorization,
        })
    }

    /// Asks the proxy for a tunnel to `target` (`host:port`). The proxy resolves the name.
    pub(super) async fn tunnel(&self, stream: &mut TcpStream, target: &str) -> Result<(), String> {
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!(
                "Proxy-Authorization: {}\r\n",
                authorization.expose()
            ));
        }
        request.push_str("\r\n");
        let request = Secret::new(request);
        let exchange = async {
            stream
                .write_all(request.expose().as_bytes())
                .await
                .map_err(|error| error.to_string())?;
            read_head(stream).await
        };
        let head = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| "the proxy does not answer".to_owned())??;
        check(&head)
    }
}

/// Reads up to the empty line and not a byte more: what follows is the tunnel.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_ANSWER {
            return Err("the proxy's answer is too long".to_owned());
        }
        let byte = stream
            .read_u8()
            .await
            .map_err(|error| format!("the proxy hung up: {error}"))?;
        head.push(byte);
    }
    Ok(head)
}

fn check(head: &[u8]) -> Result<(), String> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (version, rest) = line.split_once(' ').unwrap_or((&line, ""));
    if !version.starts_with("HTTP/1.") {
        return Err("the proxy does not speak HTTP".to_owned());
    }
    match rest.get(..3) {
        Some(code) if code.starts_with('2') => Ok(()),
        Some("407") => Err("the proxy wants a user name and a password".to_owned()),
        _ => Err(format!("the proxy refused: {}", rest.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_proxies_are_taken() {
        let proxy = |text: &str| Proxy::from_url(&Url::parse(text).unwrap());
        let plain = proxy("http://proxy.example.com").unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("proxy.example.com", 80));
        assert!(plain.authorization.is_none());
        let named = proxy("http://me:p%40ss@[::1]:3128").unwrap();
        assert_eq!((named.host.as_str(), named.port), ("::1", 3128));
        assert_eq!(named.authorization.unwrap().expose(), "Basic bWU6cEBzcw==");
        assert!(proxy("https://proxy.example.com").is_err());
        assert!(proxy("socks5://proxy.example.com").is_err());
    }

    #[test]
    fn answers_are_understood() {
        assert!(check(b"HTTP/1.1 200 Connection established\r\n\r\n").is_ok());
        assert!(check(b"HTTP/1.0 200\r\n\r\n").is_ok());
        assert!(
            check(b"HTTP/1.1 407 Proxy Authentication Required\r\n")
                .unwrap_err()
                .contains("user")
        );
        assert!(
            check(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                .unwrap_err()
                .contains("403 Forbidden")
        );
        assert!(check(b"SSH-2.0\r\n\r\n").is_err());
        assert!(check(b"").is_err());
    }
}
