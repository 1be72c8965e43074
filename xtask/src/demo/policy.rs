//! A policy group for the demo, put in force through the API as anybody would: with curl.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use workshop::{Tree, found_on_path};

/// The example that is uploaded.
const EXAMPLE: &str = "examples/policies/blast_radius";
/// How often it is asked whether the files have been checked.
const TRIES: u32 = 100;

/// Where the API is, and as whom it is called.
pub(super) struct Api<'a> {
    pub(super) url: &'a str,
    pub(super) ca_file: &'a str,
    pub(super) token: &'a str,
}

/// Whether the machine has what this needs.
pub(super) fn is_possible() -> bool {
    found_on_path("curl").is_some() && found_on_path("tar").is_some()
}

/// Uploads the example as a group that is in force everywhere, and waits until it is. One that an
/// earlier demo made stays as it is.
pub(super) fn put_in_force(tree: &Tree, api: &Api<'_>, scratch: &Path) -> Result<()> {
    let known = api.call("GET", "policy-groups", None)?;
    if known["data"].as_array().is_some_and(|it| !it.is_empty()) {
        return Ok(());
    }
    let attributes = json!({"name": "demo", "is-enforced": true});
    let body = json!({"data": {"type": "policy-groups", "attributes": attributes}});
    let group = api.call("POST", "policy-groups", Some(&body))?;
    let group = text(&group["data"]["id"])?;
    let revision = api.call("POST", &format!("policy-groups/{group}/revisions"), None)?;
    let archive = scratch.join("policies.tgz");
    let mut pack = Command::new("tar");
    pack.args(["-czf"]).arg(&archive).arg("-C");
    workshop::run(pack.arg(tree.root.join(EXAMPLE)).arg("."))?;
    let upload = text(&revision["data"]["attributes"]["upload-url"])?;
    api.curl(&["--upload-file", &archive.display().to_string(), &upload])?;
    for _ in 0..TRIES {
        let read = api.call("GET", &format!("policy-groups/{group}"), None)?;
        let attributes = &read["data"]["attributes"];
        match attributes["status"].as_str() {
            Some("active") => return Ok(()),
            Some("errored") => bail!("the example's policies: {}", attributes["error-message"]),
            _ => sleep(Duration::from_millis(100)),
        }
    }
    bail!("the policies have not been checked")
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().context("the answer has no such text")?;
    Ok(text.to_owned())
}

impl Api<'_> {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/api/v2/{path}", self.url.trim_end_matches('/'));
        let bearer = format!("Authorization: Bearer {}", self.token);
        let body = body.map(Value::to_string);
        let mut arguments = vec!["-X", method, "-H", &bearer];
        if let Some(body) = &body {
            let kind = "Content-Type: application/vnd.api+json";
            arguments.extend(["-H", kind, "--data-raw", body]);
        }
        arguments.push(&url);
        let answer = self.curl(&arguments)?;
        serde_json::from_slice(&answer).context("the answer is no JSON")
    }

    fn curl(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail-with-body", "--cacert"])
            .arg(self.ca_file)
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .context("starting curl")?;
        if !output.status.success() {
            bail!("curl: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(output.stdout)
    }
}
