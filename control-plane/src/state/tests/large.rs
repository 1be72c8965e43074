//! States of tens of megabytes: they pass through, and little of them is held.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blob::{BlobStore, PART_SIZE};
use bytes::Bytes;
use db::Db;
use futures::stream;
use parking_lot::Mutex;

use super::{announce, current, lock, url, workspace_path};
use crate::schema::MIGRATOR;
use crate::testing::{Flaky, Switches, Team, TestApp};

const MIB: usize = 1024 * 1024;
const SIZE: usize = 48 * MIB;

/// A state of `SIZE` bytes in a few hundred resources.
fn large(serial: i64) -> String {
    let noise: Vec<u8> = std::iter::repeat_with(rand::random)
        .take(96 * 1024)
        .collect();
    let noise = STANDARD.encode(noise);
    let mut text = format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{}},"resources":["#
    );
    let mut number = 0;
    while text.len() < SIZE {
        let comma = if number == 0 { "" } else { "," };
        text.push_str(&format!(
            r#"{comma}{{"mode":"managed","type":"test_blob","name":"r{number}","provider":"p","instances":[{{"attributes":{{"id":"{number}","data":"{}{noise}"}}}}]}}"#,
            rand::random::<u64>()
        ));
        number += 1;
    }
    text.push_str("]}");
    text
}

/// Sends a text piece by piece and notes how much had reached the store by then.
struct Watched {
    switches: Arc<Switches>,
    before: u64,
    samples: Arc<Mutex<Vec<(u64, u64)>>>,
}

impl Watched {
    fn new(switches: &Arc<Switches>) -> Self {
        let before = switches.written.load(Ordering::SeqCst);
        Self {
            switches: Arc::clone(switches),
            before,
            samples: Arc::default(),
        }
    }

    fn body(&self, text: String) -> Body {
        let (samples, switches, before) = (
            Arc::clone(&self.samples),
            Arc::clone(&self.switches),
            self.before,
        );
        let text = Bytes::from(text);
        let pieces = (0..text.len()).step_by(64 * 1024).map(move |at| {
            let written = switches.written.load(Ordering::SeqCst) - before;
            samples.lock().push((at as u64, written));
            Ok::<_, std::io::Error>(text.slice(at..text.len().min(at + 64 * 1024)))
        });
        Body::from_stream(stream::iter(pieces))
    }

    /// Bytes of the text that were on this side at once, at most: the store's bytes are compressed,
    /// evenly, as the text is the same all over.
    fn held(&self, length: usize) -> f64 {
        let written = (self.switches.written.load(Ordering::SeqCst) - self.before) as f64;
        let ratio = length as f64 / written;
        let samples = self.samples.lock();
        samples
            .iter()
            .map(|(given, seen)| *given as f64 - *seen as f64 * ratio)
            .fold(0.0, f64::max)
    }
}

/// Two parts of the store's upload (in compressed bytes) and what is in hand.
fn allowed(compression: f64) -> f64 {
    (2 * PART_SIZE) as f64 * compression + (4 * MIB) as f64
}

async fn setup(db: Db) -> (TestApp, Team, Arc<Switches>) {
    let (flaky, switches) = Flaky::new();
    let app = TestApp::with_blobs(db, BlobStore::over(Arc::new(flaky)));
    let team = app.team().await;
    lock(&app, &team, &team.admin).await.expect(200);
    (app, team, switches)
}

async fn check_current(app: &TestApp, team: &Team, content: &str) {
    let now = current(app, team).await.expect(200);
    assert_eq!(now.attribute("size"), content.len());
    let raw = app
        .get(url(&now, "hosted-state-download-url"))
        .by(&team.admin)
        .await
        .expect(200);
    assert!(
        raw.body == content.as_bytes(),
        "what is read is what was written"
    );
}

async fn uploaded(db: Db) {
    let (app, team, switches) = setup(db).await;
    let content = large(1);
    let announced = announce(&app, &team, &content, 1, "l").await.expect(201);
    let watched = Watched::new(&switches);
    app.put(url(&announced, "hosted-state-upload-url"))
        .streaming("application/octet-stream", watched.body(content.clone()))
        .await
        .expect(200);
    let held = watched.held(content.len());
    assert!(held < allowed(1.4), "{held} bytes were held");
    check_current(&app, &team, &content).await;

    // Going back to it copies it as a stream too.
    let first = announced.id();
    super::push(&app, &team, 2, "l", "small").await;
    let made = app
        .patch(workspace_path(&team, "state-versions"))
        .by(&team.admin)
        .json(
            &serde_json::json!({ "data": { "relationships": { "rollback-state-version": {
            "data": { "type": "state-versions", "id": first } } } } }),
        )
        .await
        .expect(201);
    assert_eq!(made.attribute("serial"), 3);
}

async fn inline(db: Db) {
    let (app, team, switches) = setup(db).await;
    let content = large(1);
    let body = format!(
        r#"{{"data":{{"attributes":{{"state":"{}"}}}}}}"#,
        STANDARD.encode(&content)
    );
    let length = body.len();
    let watched = Watched::new(&switches);
    app.post(workspace_path(&team, "state-versions"))
        .by(&team.admin)
        .streaming("application/vnd.api+json", watched.body(body))
        .await
        .expect(201);
    let held = watched.held(length);
    assert!(held < allowed(1.9), "{held} bytes were held");
    check_current(&app, &team, &content).await;
}

#[test]
fn a_large_state_is_uploaded_in_little_memory() {
    testkit::database::on_sqlite(&MIGRATOR, uploaded);
}

#[test]
fn a_large_inline_state_takes_little_memory() {
    testkit::database::on_sqlite(&MIGRATOR, inline);
}
