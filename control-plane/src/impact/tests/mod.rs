//! Analyses on both databases, with real workers. The helpers put planned runs in place.

mod analyses;
mod incremental;
mod kept;

use db::Json;
use domain::ids::RunId;
use policy::SourceFile;
use serde_json::{Value, json};

use super::ImpactKeeper;
use crate::objects;
use crate::policies::{
    self,
    tests::{archive, create, push},
};
use crate::runs;
use crate::testing::{Answer, Team, TestApp};
use crate::workspaces::Workspace;

/// Files of a group.
type Files = Vec<(String, String)>;

/// A policy that objects to resources larger than `limit`, as the library measures them.
fn policy(limit: u32) -> String {
    format!(
        "package terraform\n\nimport rego.v1\nimport data.lib\n\ndeny contains msg if {{\n\
         \tsome change in input.tfplan.resource_changes\n\tlib.size(change) > {limit}\n\
         \tmsg := sprintf(\"%s is larger than {limit}\", [change.address])\n}}\n"
    )
}

/// One that needs no library.
fn lone(limit: u32) -> String {
    policy(limit)
        .replace("import data.lib\n", "")
        .replace("lib.size(change)", "change.change.after.size")
}

fn library(extra: u32) -> String {
    format!("package lib\n\nimport rego.v1\n\nsize(change) := change.change.after.size + {extra}\n")
}

fn manifest(policies: &[(&str, &str)]) -> String {
    let mut text = "version = \"v1\"\n".to_owned();
    for (name, level) in policies {
        text.push_str(&format!(
            "policy \"{name}\" {{\n  enabled = true\n  enforcement_level = \"{level}\"\n}}\n"
        ));
    }
    text
}

/// Policies `one`, `two` (with the library) and `lone`, all hard.
fn files(one: u32, two: u32, alone: u32, extra: u32) -> Files {
    let hard = "hard-mandatory";
    [
        (
            "terrane-policy.hcl",
            manifest(&[("one", hard), ("two", hard), ("lone", hard)]),
        ),
        ("one.rego", policy(one)),
        ("two.rego", format!("{}# the second\n", policy(two))),
        ("lone.rego", lone(alone)),
        ("lib/lib.rego", library(extra)),
    ]
    .map(|(path, text)| (path.to_owned(), text))
    .into()
}

fn packed(files: &Files) -> Vec<u8> {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    archive(&files)
}

fn sources(files: &Files) -> Vec<SourceFile> {
    files
        .iter()
        .map(|(path, text)| SourceFile::new(path.clone(), text.clone()))
        .collect()
}

/// An enforced group with these files in force.
async fn group(app: &TestApp, team: &Team, files: &Files) -> String {
    let attributes = json!({
        "name": "sizes", "is-enforced": true, "common-functions-folder": "lib",
    });
    let group = create(app, team, attributes).await;
    let revision = push(app, team, &group, packed(files)).await;
    assert_eq!(revision.attribute("status"), "good", "{}", revision.text());
    group
}

/// Uploads a proposed revision and checks it; its id.
async fn propose(app: &TestApp, team: &Team, group: &str, files: &Files) -> String {
    let made = app
        .post(format!("/api/v2/policy-groups/{group}/revisions"))
        .by(&team.admin)
        .attributes("policy-revisions", json!({ "proposed": true }))
        .await
        .expect(201);
    let url = made.attribute("upload-url");
    let path = url
        .as_str()
        .unwrap()
        .trim_start_matches("https://terrane.test");
    app.put(path)
        .body("application/octet-stream", packed(files))
        .await
        .expect(200);
    policies::check_waiting(app).await.unwrap();
    made.id()
}

fn named(revision: &str) -> Value {
    json!({ "data": { "type": "impact-analyses", "relationships": {
        "revision": { "data": { "type": "policy-revisions", "id": revision } },
    } } })
}

async fn start(app: &TestApp, team: &Team, group: &str, revision: &str) -> Answer {
    app.post(format!("/api/v2/policy-groups/{group}/impact-analyses"))
        .by(&team.admin)
        .json(&named(revision))
        .await
}

/// Works until nothing is open.
async fn settle(app: &TestApp) {
    let keeper = ImpactKeeper::new(app.shared());
    for _ in 0..3 {
        keeper.pass().await.unwrap();
        keeper.settle().await;
    }
}

async fn read(app: &TestApp, team: &Team, id: &str) -> Answer {
    let path = format!("/api/v2/impact-analyses/{id}");
    app.get(path).by(&team.reader).await.expect(200)
}

/// A finished analysis of these files.
async fn analyse(app: &TestApp, team: &Team, group: &str, files: &Files) -> Answer {
    let revision = propose(app, team, group, files).await;
    let id = start(app, team, group, &revision).await.expect(201).id();
    settle(app).await;
    let answer = read(app, team, &id).await;
    assert_eq!(answer.attribute("status"), "finished", "{}", answer.text());
    answer
}

async fn results(app: &TestApp, team: &Team, id: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/v2/impact-analyses/{id}/results?page[size]=100{query}");
    let answer = app.get(path).by(&team.reader).await.expect(200);
    answer.data().as_array().unwrap().clone()
}

fn counts(answer: &Answer, names: &[&str]) -> Vec<i64> {
    let count = |name: &&str| answer.attribute(&format!("{name}-count")).as_i64().unwrap();
    names.iter().map(count).collect()
}

/// A plan with resources of these sizes.
fn plan(sizes: &[u32]) -> Value {
    let change = |(at, size): (usize, &u32)| {
        json!({"address": format!("terraform_data.r{at}"), "mode": "managed",
            "type": "terraform_data", "name": format!("r{at}"),
            "provider_name": "terraform.io/builtin/terraform",
            "change": {"actions": ["create"], "before": null, "after": {"size": size},
                "after_unknown": {}, "before_sensitive": false, "after_sensitive": {}}})
    };
    let changes: Vec<Value> = sizes.iter().enumerate().map(change).collect();
    json!({"format_version": "1.2", "terraform_version": "1.11.4",
        "resource_changes": changes, "configuration": {"root_module": {}}})
}

/// A run of a workspace that waits for its confirmation.
async fn planned(app: &TestApp, team: &Team, workspace: &Workspace, plan: &Value) -> RunId {
    let run = app.run_in_progress(workspace).await;
    let text = plan.to_string();
    let stored = objects::put(app, &team.tenant, "plan-json", text.as_bytes(), u64::MAX)
        .await
        .unwrap();
    let mut tx = app.db.begin().await.unwrap();
    runs::attach_artefact(&mut tx, &team.tenant, &run.id, "plan-json", &stored.id)
        .await
        .unwrap();
    let result = json!({ "has_changes": true, "additions": 1 });
    tx.query(
        "UPDATE runs SET status = 'planned', plan_status = 'finished', plan_result = $2
         WHERE id = $1",
    )
    .bind(&run.id)
    .bind(Json(result))
    .execute()
    .await
    .unwrap();
    tx.query("UPDATE jobs SET status = 'finished' WHERE id = $1")
        .bind(&run.job)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    run.id
}

async fn execute(app: &TestApp, sql: &'static str) -> u64 {
    let mut tx = app.db.begin().await.unwrap();
    let rows = tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
    rows
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let mut conn = app.db.acquire().await.unwrap();
    conn.query(sql).fetch_scalar().await.unwrap()
}
