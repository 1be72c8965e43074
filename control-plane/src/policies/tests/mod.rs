//! The slice on both databases, through its routes and its face. The helpers put groups in place.

mod documents;
mod groups;
mod repository;
mod sets;
mod suites;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::policies;
use crate::testing::{Answer, Team, TestApp};

/// A manifest that declares one hard policy of that name.
fn manifest(name: &str) -> String {
    format!(
        "version = \"v1\"\npolicy \"{name}\" {{\n  enabled = true\n  enforcement_level = \"hard-mandatory\"\n}}\n"
    )
}

/// A policy that objects to every run.
const NEVER: &str = "package terraform\n\nimport rego.v1\n\ndeny contains \"never\" if true\n";

/// A tar.gz of these files.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// The archive of a small good group.
fn good() -> Vec<u8> {
    archive(&[
        ("scalr-policy.hcl", &manifest("never")),
        ("never.rego", NEVER),
    ])
}

pub(crate) async fn create(app: &TestApp, team: &Team, attributes: Value) -> String {
    app.post("/api/v2/policy-groups")
        .by(&team.admin)
        .attributes("policy-groups", attributes)
        .await
        .expect(201)
        .id()
}

/// Uploads an archive as a group's next revision, without checking it; the revision's id.
async fn upload(app: &TestApp, team: &Team, group: &str, archive: Vec<u8>) -> (String, Answer) {
    let made = app
        .post(format!("/api/v2/policy-groups/{group}/revisions"))
        .by(&team.admin)
        .await
        .expect(201);
    let url = made.attribute("upload-url");
    let path = url
        .as_str()
        .unwrap()
        .trim_start_matches("https://terrane.test");
    let answer = app
        .put(path)
        .body("application/octet-stream", archive)
        .await;
    (made.id(), answer)
}

/// Uploads, checks, and reads the revision.
pub(crate) async fn push(app: &TestApp, team: &Team, group: &str, archive: Vec<u8>) -> Answer {
    let (id, answer) = upload(app, team, group, archive).await;
    answer.expect(200);
    policies::check_waiting(app).await.unwrap();
    revision(app, team, &id).await
}

async fn revision(app: &TestApp, team: &Team, id: &str) -> Answer {
    let path = format!("/api/v2/policy-revisions/{id}");
    app.get(path).by(&team.reader).await.expect(200)
}

async fn read(app: &TestApp, team: &Team, group: &str) -> Answer {
    let path = format!("/api/v2/policy-groups/{group}");
    app.get(path).by(&team.reader).await.expect(200)
}

async fn change(app: &TestApp, team: &Team, group: &str, attributes: Value) -> Answer {
    app.patch(format!("/api/v2/policy-groups/{group}"))
        .by(&team.admin)
        .attributes("policy-groups", attributes)
        .await
}

/// Names of the groups in force in the team's workspace after a plan.
async fn in_force(app: &TestApp, team: &Team) -> Vec<String> {
    let mut conn = app.db.acquire().await.unwrap();
    let stage = domain::policy::PolicyStage::PostPlan;
    let found = policies::in_force(&mut conn, &team.tenant, &team.workspace, stage).await;
    found.unwrap().into_iter().map(|it| it.name).collect()
}

fn linkage(kind: &str, ids: &[&str]) -> Value {
    let data: Vec<Value> = ids
        .iter()
        .map(|id| json!({ "type": kind, "id": id }))
        .collect();
    json!({ "data": data })
}
