//! The slice on both databases, through its routes and through what runners call.

mod faults;
mod large;
mod push;
mod races;
mod read;
mod recover;
mod runs;
mod sharing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::Db;
use domain::ids::{StateVersionId, WorkspaceId};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Announced, Disposition, RunStateGrant, StateError, accept_from_run};
use crate::objects;
use crate::testing::{Answer, Team, TestApp, TestRun, TestUser};

/// A small state with two instances of a resource, a data source and three outputs. `mark` makes its
/// content differ.
fn state(serial: i64, lineage: &str, mark: &str) -> String {
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": lineage,
        "outputs": {
            "ip": { "value": "10.0.0.1", "type": "string" },
            "key": { "value": format!("hidden-{mark}"), "type": "string", "sensitive": true },
            "ports": { "value": [80, 443], "type": ["tuple", ["number", "number"]] },
        },
        "resources": [
            { "mode": "managed", "type": "null_resource", "name": "web",
              "provider": "provider[\"registry.terraform.io/hashicorp/null\"]",
              "instances": [{ "index_key": 0, "attributes": { "id": mark } },
                            { "index_key": 1, "attributes": { "id": "2" } }] },
            { "mode": "data", "type": "http", "name": "page", "module": "module.net",
              "provider": "provider[\"registry.terraform.io/hashicorp/http\"]",
              "instances": [{ "attributes": { "id": "x" } }] },
        ],
        "check_results": null,
    })
    .to_string()
}

fn md5_of(content: &str) -> String {
    hex::encode(Md5::digest(content.as_bytes()))
}

/// An account whose workspace is locked by its administrator.
async fn setup(db: Db) -> (TestApp, Team) {
    let app = TestApp::new(db);
    let team = app.team().await;
    lock(&app, &team, &team.admin).await.expect(200);
    (app, team)
}

fn workspace_path(team: &Team, rest: &str) -> String {
    format!("/api/v2/workspaces/{}/{rest}", team.workspace.id)
}

async fn lock(app: &TestApp, team: &Team, user: &TestUser) -> Answer {
    app.post(workspace_path(team, "actions/lock"))
        .by(user)
        .await
}

async fn unlock(app: &TestApp, team: &Team, user: &TestUser) -> Answer {
    app.post(workspace_path(team, "actions/unlock"))
        .by(user)
        .await
}

async fn create(app: &TestApp, team: &Team, who: &TestUser, attributes: Value) -> Answer {
    app.post(workspace_path(team, "state-versions"))
        .by(who)
        .attributes("state-versions", attributes)
        .await
}

/// What the CLI sends before it uploads.
fn announcement(content: &str, serial: i64, lineage: &str) -> Value {
    json!({ "serial": serial, "lineage": lineage, "md5": md5_of(content), "force": false })
}

async fn announce(app: &TestApp, team: &Team, content: &str, serial: i64, lineage: &str) -> Answer {
    create(
        app,
        team,
        &team.admin,
        announcement(content, serial, lineage),
    )
    .await
}

async fn inline(app: &TestApp, team: &Team, content: &str) -> Answer {
    create(
        app,
        team,
        &team.admin,
        json!({ "state": STANDARD.encode(content) }),
    )
    .await
}

/// The path of an absolute URL of ours in an attribute.
fn url(answer: &Answer, name: &str) -> String {
    let url = answer.attribute(name);
    let url = url.as_str().unwrap_or_else(|| panic!("{name} is {url}"));
    url.strip_prefix("https://terrane.test")
        .expect("an absolute URL of ours")
        .to_owned()
}

async fn upload(app: &TestApp, path: &str, content: &str) -> Answer {
    app.put(path)
        .body("application/octet-stream", content.to_owned())
        .await
}

/// Announces and uploads, as the CLI does.
async fn push(
    app: &TestApp,
    team: &Team,
    serial: i64,
    lineage: &str,
    mark: &str,
) -> StateVersionId {
    let content = state(serial, lineage, mark);
    let announced = announce(app, team, &content, serial, lineage)
        .await
        .expect(201);
    upload(app, &url(&announced, "hosted-state-upload-url"), &content)
        .await
        .expect(200);
    announced.id().parse().unwrap()
}

async fn current(app: &TestApp, team: &Team) -> Answer {
    app.get(workspace_path(team, "current-state-version"))
        .by(&team.admin)
        .await
}

async fn version(app: &TestApp, team: &Team, id: &impl ToString) -> Answer {
    app.get(format!("/api/v2/state-versions/{}", id.to_string()))
        .by(&team.admin)
        .await
}

/// Makes `run` one that is applying: its job is leased under epoch 1, and it holds the workspace.
async fn applying(app: &TestApp, team: &Team) -> TestRun {
    let run = app.run_in_progress(&team.workspace).await;
    hold(app, &team.workspace.id, &run).await;
    run
}

async fn hold(app: &TestApp, workspace: &WorkspaceId, run: &TestRun) {
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "UPDATE workspaces SET lock_kind = 'run', lock_holder_id = $2, lock_holder_name = 'a run',
            lock_reason = '', locked_at = $3 WHERE id = $1",
    )
    .bind(workspace)
    .bind(&run.id)
    .bind(app.clock.now())
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// Runs one statement with the run's job or run id.
async fn set(app: &TestApp, sql: &'static str, id: &str) {
    let mut tx = app.db.begin().await.unwrap();
    assert_eq!(tx.query(sql).bind(id).execute().await.unwrap(), 1, "{sql}");
    tx.commit().await.unwrap();
}

fn grant(team: &Team, run: &TestRun) -> RunStateGrant {
    RunStateGrant {
        tenant: team.tenant.clone(),
        workspace: team.workspace.id.clone(),
        run: run.id.clone(),
        job: run.job.clone(),
        epoch: 1,
        final_state: false,
        recovery: false,
        renumber: false,
        revoked: false,
    }
}

/// What the gateway does with a state that a runner brings.
async fn bring(
    app: &TestApp,
    grant: &RunStateGrant,
    content: &str,
    serial: i64,
    lineage: &str,
) -> Result<Disposition, StateError> {
    let stored = objects::put(app, &grant.tenant, "state", content.as_bytes(), u64::MAX)
        .await
        .unwrap();
    let announced = Announced {
        serial,
        lineage: lineage.to_owned(),
        md5: md5_of(content),
        size: content.len() as u64,
    };
    accept_from_run(app, grant, &announced, stored).await
}
