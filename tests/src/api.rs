//! The API as a client sees it.

use std::path::Path;

use md5::{Digest, Md5};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::wait;

/// One user's access.
#[derive(Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

/// Status and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// `null` where the body is no JSON.
    pub json: Value,
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The id of the one object.
    pub fn id(&self) -> String {
        self.json["data"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id in {self:?}"))
            .to_owned()
    }

    pub fn attribute(&self, name: &str) -> &Value {
        &self.json["data"]["attributes"][name]
    }

    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{text}");
        self
    }
}

impl Api {
    pub fn new(url: &str, ca_file: &Path, token: &str) -> Self {
        let base = url.trim_end_matches('/').to_owned();
        Self {
            client: testkit::recorder::client(ca_file),
            base,
            token: token.to_owned(),
        }
    }

    /// The same server with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// `path` below `/api/v2/`, or from the root when it begins with a slash, or a whole URL.
    pub fn url(&self, path: &str) -> String {
        if path.starts_with("https://") {
            path.to_owned()
        } else if path.starts_with('/') {
            format!("{}{path}", self.base)
        } else {
            format!("{}/api/v2/{path}", self.base)
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// The body at an address that needs no token, as that of metrics.
    pub async fn get_plain(&self, url: &str) -> Vec<u8> {
        let answer = self.client.get(url).send().await.unwrap();
        answer.bytes().await.unwrap().to_vec()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Bytes to a signed URL, without authorisation.
    pub async fn put(&self, url: &str, bytes: impl Into<reqwest::Body>) -> Answer {
        answer(
            self.client
                .put(self.url(url))
                .body(bytes)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, self.url(path));
        request = request
            .bearer_auth(&self.token)
            .header("accept", "application/vnd.api+json");
        if let Some(body) = body {
            let body = serde_json::to_vec(&body).unwrap();
            request = request
                .header("content-type", "application/vnd.api+json")
                .body(body);
        }
        answer(request.send().await.unwrap()).await
    }

    pub async fn workspace(&self, environment: &str, name: &str) -> Answer {
        self.get(&format!("organizations/{environment}/workspaces/{name}"))
            .await
    }

    pub async fn create_workspace(&self, environment: &str, attributes: Value) -> Answer {
        let body = json!({"data": {"type": "workspaces", "attributes": attributes}});
        self.post(&format!("organizations/{environment}/workspaces"), body)
            .await
    }

    /// Serial of the current state; `None` without one.
    pub async fn serial(&self, workspace: &str) -> Option<i64> {
        let answer = self
            .get(&format!("workspaces/{workspace}/current-state-version"))
            .await;
        (answer.status == 200).then(|| answer.attribute("serial").as_i64().unwrap())
    }

    /// The current state itself.
    pub async fn state(&self, workspace: &str) -> Value {
        let path = format!("workspaces/{workspace}/current-state-version");
        let version = self.get(&path).await.expect(200);
        let url = version
            .attribute("hosted-state-download-url")
            .as_str()
            .unwrap()
            .to_owned();
        self.get(&url).await.expect(200).json
    }

    /// Locks the workspace, gives it this state, and unlocks it.
    pub async fn push_state(&self, workspace: &str, state: &[u8], serial: u64, lineage: &str) {
        let act = |action: &str| format!("workspaces/{workspace}/actions/{action}");
        self.post(&act("lock"), json!({"reason": "test"}))
            .await
            .expect(200);
        let body = json!({"data": {"type": "state-versions", "attributes": {
            "serial": serial, "lineage": lineage, "md5": hex::encode(Md5::digest(state))}}});
        let path = format!("workspaces/{workspace}/state-versions");
        let version = self.post(&path, body).await.expect(201);
        let url = version
            .attribute("hosted-state-upload-url")
            .as_str()
            .unwrap()
            .to_owned();
        let uploaded = self.put(&url, state.to_vec()).await;
        assert!(uploaded.status < 300, "{uploaded:?}");
        self.post(&act("unlock"), json!({})).await.expect(200);
    }

    /// Packs `files`, uploads them as a configuration version, and waits until it is there.
    pub async fn upload(
        &self,
        workspace: &str,
        files: &[(&str, &str)],
        attributes: Value,
    ) -> String {
        let body = json!({"data": {"type": "configuration-versions", "attributes": attributes}});
        let path = format!("workspaces/{workspace}/configuration-versions");
        let version = self.post(&path, body).await.expect(201);
        let url = version.attribute("upload-url").as_str().unwrap().to_owned();
        let uploaded = self.put(&url, archive(files)).await;
        assert!(uploaded.status < 300, "{uploaded:?}");
        let path = format!("configuration-versions/{}", version.id());
        let uploaded = |it: &Answer| it.attribute("status") == "uploaded";
        wait::until_it(
            "the configuration is uploaded",
            || self.get(&path),
            uploaded,
        )
        .await;
        version.id()
    }

    /// Starts a run of an uploaded configuration.
    pub async fn run(&self, workspace: &str, version: &str, attributes: Value) -> String {
        let body = json!({"data": {"type": "runs", "attributes": attributes, "relationships": {
            "workspace": {"data": {"type": "workspaces", "id": workspace}},
            "configuration-version": {"data": {"type": "configuration-versions", "id": version}},
        }}});
        self.post("runs", body).await.expect(201).id()
    }

    /// Waits until the run has one of these statuses.
    pub async fn run_status(&self, run: &str, wanted: &[&str]) -> Answer {
        let path = format!("runs/{run}");
        let what = format!("run {run} is one of {wanted:?}");
        let is_wanted = |it: &Answer| {
            it.attribute("status")
                .as_str()
                .is_some_and(|it| wanted.contains(&it))
        };
        wait::until_it(&what, || self.get(&path), is_wanted).await
    }

    /// The whole log of a phase (`plans/ID` or `applies/ID`), without its markers.
    pub async fn log(&self, phase: &str) -> String {
        let answer = self.get(phase).await.expect(200);
        let url = answer
            .attribute("log-read-url")
            .as_str()
            .unwrap()
            .to_owned();
        let mut log = Vec::new();
        loop {
            let chunk = self
                .get(&format!("{url}?limit=65536&offset={}", log.len()))
                .await
                .expect(200);
            if chunk.bytes.is_empty() {
                break;
            }
            log.extend(chunk.bytes);
        }
        String::from_utf8_lossy(&log).replace(['\x02', '\x03'], "")
    }
}

async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap().to_vec();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status,
        json,
        bytes,
    }
}

/// A gzipped tar of these files.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}
