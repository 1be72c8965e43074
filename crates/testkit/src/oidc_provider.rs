//! A real OpenID Connect provider: the npm package `oidc-provider`, with its own sign-in pages.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use reqwest::header;
use serde_json::json;
use workshop::{Tree, found_on_path, node};

use crate::TestCertificate;

const VERSION: &str = "8.8.1";

/// The provider; it ends when dropped.
pub struct OidcProvider {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    ca_pem: String,
    pub issuer: String,
    _directory: tempfile::TempDir,
}

impl OidcProvider {
    /// It answers when [`OidcProvider::serve`] has told it its client. `None` without Node.
    pub fn start() -> Option<Self> {
        let node = found_on_path("node")?;
        let package = node::find_or_fetch(&Tree::here(), "oidc-provider", VERSION).unwrap();
        let script = package.join("provider.mjs");
        let source = include_str!("oidc_provider.mjs");
        // Tests at the same time write the same.
        if std::fs::read_to_string(&script).ok().as_deref() != Some(source) {
            std::fs::write(&script, source).unwrap();
        }
        let certificate = TestCertificate::new();
        let directory = tempfile::tempdir().unwrap();
        let (cert, key) = (
            directory.path().join("cert.pem"),
            directory.path().join("key.pem"),
        );
        std::fs::write(&cert, &certificate.certificate_pem).unwrap();
        std::fs::write(&key, &certificate.key_pem).unwrap();
        let mut process = Command::new(node)
            .args([&script, &cert, &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let issuer = line(&mut output);
        Some(Self {
            process,
            input,
            output,
            ca_pem: certificate.ca_pem,
            issuer,
            _directory: directory,
        })
    }

    /// The authority that its certificate is of.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Knows this client from now on.
    pub fn serve(&mut self, id: &str, secret: &str, redirect_uri: &str, after_logout: &str) {
        let client = json!({
            "client_id": id, "client_secret": secret, "redirect_uris": [redirect_uri],
            "post_logout_redirect_uris": [after_logout],
        });
        writeln!(self.input, "{client}").unwrap();
        assert_eq!(line(&mut self.output), "ready");
    }

    /// What a browser does in which `user` signs in: gives the address that it is sent back to.
    pub async fn sign_in(&self, address: &str, user: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = reqwest::Certificate::from_pem(self.ca_pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let mut cookies = BTreeMap::<String, String>::new();
        let mut address = address.to_owned();
        let mut form: Option<Vec<(&str, &str)>> = None;
        for _ in 0..20 {
            if !address.starts_with(&self.issuer) {
                return address;
            }
            let mut request = match form.take() {
                Some(fields) => client.post(&address).form(&fields),
                None => client.get(&address),
            };
            let sent: Vec<_> = cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            request = request.header(header::COOKIE, sent.join("; "));
            let answer = request.send().await.unwrap();
            for cookie in answer.headers().get_all(header::SET_COOKIE) {
                let text = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = text.split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.to_owned());
            }
            if let Some(next) = answer.headers().get(header::LOCATION) {
                let next = next.to_str().unwrap();
                address = match next.strip_prefix('/') {
                    Some(path) => format!("{}/{path}", self.issuer),
                    None => next.to_owned(),
                };
                continue;
            }
            let status = answer.status();
            let page = answer.text().await.unwrap();
            form = Some(if page.contains("value=\"login\"") {
                vec![("prompt", "login"), ("login", user), ("password", "any")]
            } else {
                assert!(page.contains("value=\"consent\""), "{status}: {page}");
                vec![("prompt", "consent")]
            });
        }
        panic!("the provider sends its browser around in circles");
    }
}

fn line(output: &mut BufReader<std::process::ChildStdout>) -> String {
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    text.trim().to_owned()
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
