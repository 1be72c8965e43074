//! Every route × every kind of caller: the answer's status is the one in `matrix.txt`.
//!
//! A route without a row fails, and the failure prints the row to add. Each call meets its own
//! fresh tenants, so no row depends on another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::Db;
use domain::access::Role;
use domain::ids::CostEstimateId;
use domain::policy::PolicyStage;
use http::Method;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::openapi::{Operation, operations};
use crate::costs::{self, RunPlan};
use crate::runs::gates;
use crate::testing::{Team, TestApp, TestRun, TestUser};

const TABLE: &str = include_str!("matrix.txt");

/// The columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Administrator of the account that the object belongs to.
    Admin,
    /// Reader of that account.
    Reader,
    /// Administrator of another account.
    Foreign,
    /// The token of a run of the workspace in question.
    Run,
    /// The token of a run of another workspace of the same account.
    OtherRun,
    /// No token at all.
    Nobody,
}

const CALLERS: [Caller; 6] = [
    Caller::Admin,
    Caller::Reader,
    Caller::Foreign,
    Caller::Run,
    Caller::OtherRun,
    Caller::Nobody,
];

/// What is expected of one operation.
#[derive(Debug)]
pub(super) struct Row {
    statuses: [u16; 6],
    /// JSON, or a form if it doesn't begin with a brace; with `{parameters}` as in the path.
    pub(super) body: String,
    /// What follows the path: `?…`.
    query: String,
}

pub(super) fn table() -> BTreeMap<Operation, Row> {
    let mut rows = BTreeMap::<Operation, Row>::new();
    let mut last = None;
    for line in TABLE
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    {
        if line.starts_with(' ') {
            let operation = last.clone().expect("a body before the first row");
            let row = rows.get_mut(&operation).unwrap();
            row.body.push_str(line.trim());
            continue;
        }
        let (operation, row) = parse(line);
        last = Some(operation.clone());
        assert!(
            rows.insert(operation, row).is_none(),
            "matrix.txt has two rows: {line}"
        );
    }
    rows
}

fn parse(line: &str) -> (Operation, Row) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, target, statuses @ ..] = words.as_slice() else {
        panic!("matrix.txt: not `METHOD PATH STATUS…`: {line}");
    };
    let numbers: Vec<u16> = statuses
        .iter()
        .map(|it| {
            it.parse()
                .unwrap_or_else(|_| panic!("matrix.txt: {it:?} in {line}"))
        })
        .collect();
    let (path, query) = target
        .split_once('?')
        .map_or((*target, String::new()), |(path, query)| {
            (path, format!("?{query}"))
        });
    let operation = Operation {
        path: path.to_owned(),
        method: (*method).to_owned(),
    };
    let statuses = numbers.try_into().unwrap_or_else(|numbers: Vec<u16>| {
        panic!(
            "matrix.txt: {} statuses instead of 6: {line}",
            numbers.len()
        )
    });
    (
        operation,
        Row {
            statuses,
            body: String::new(),
            query,
        },
    )
}

/// The objects that a row's parameters name, and its callers.
pub(super) struct Scene {
    pub(super) team: Team,
    foreign: TestUser,
    run: TestRun,
    other_run: TestRun,
    parameters: BTreeMap<&'static str, String>,
}

impl Scene {
    pub(super) async fn new(app: &TestApp, foreign: &TestUser, wanted: &str) -> Self {
        let team = app.team().await;
        let run = app.run_in_progress(&team.workspace).await;
        let neighbour = app.workspace(&team.environment, "neighbour").await;
        let other_run = app.run_in_progress(&neighbour).await;
        let variable = app
            .post(format!("/api/v2/workspaces/{}/vars", team.workspace.id))
            .by(&team.admin)
            .attributes("vars", json!({ "key": "a", "category": "terraform" }))
            .await
            .expect(201)
            .id();
        let tokens = app
            .get(format!(
                "/api/v2/users/{}/authentication-tokens",
                team.admin.id
            ))
            .by(&team.admin)
            .await
            .expect(200);
        let token = tokens.data()[0]["id"].as_str().unwrap().to_owned();
        // A project that may be deleted.
        let project = app
            .post(format!(
                "/api/v2/organizations/{}/projects",
                team.environment.name
            ))
            .by(&team.admin)
            .attributes("projects", json!({ "name": "spare" }))
            .await
            .expect(201)
            .id();
        let pool = app
            .post(format!(
                "/api/v2/organizations/{}/agent-pools",
                team.environment.name
            ))
            .by(&team.admin)
            .attributes("agent-pools", json!({ "name": "spare" }))
            .await
            .expect(200)
            .id();
        let runner = app.runner(&team.tenant, &pool).await;
        let team_of_people = app
            .post(format!(
                "/api/v2/organizations/{}/teams",
                team.environment.name
            ))
            .by(&team.admin)
            .attributes("teams", json!({ "name": "sre" }))
            .await
            .expect(200)
            .id();
        let rule = app
            .post(format!(
                "/api/v2/workspaces/{}/approval-rules",
                team.workspace.id
            ))
            .by(&team.admin)
            .attributes("approval-rules", json!({ "count": 2 }))
            .await
            .expect(201)
            .id();
        let (state, output) = state(app, &team).await;
        let estimate = estimate(app, &team, &run).await;
        checks(app, &team, &run).await;
        let parameters = BTreeMap::from([
            ("organization", team.environment.name.clone()),
            ("name", team.workspace.name.clone()),
            ("workspace_id", team.workspace.id.to_string()),
            ("project_id", project),
            ("variable_id", variable),
            // A pool that may be deleted, with a runner.
            ("agent_pool_id", pool),
            ("agent_id", runner.to_string()),
            // The user in question is the administrator; so is the token's owner.
            ("user_id", team.admin.id.to_string()),
            ("token_id", token),
            ("username", team.reader.username.clone()),
            (
                "organization_membership_id",
                team.reader.id.as_str().replacen("user-", "ou-", 1),
            ),
            ("team_id", team_of_people),
            ("approval_rule_id", rule),
            // A provisioning client's objects, which no token of ours may see.
            ("scim_user_id", "ext-1".to_owned()),
            ("scim_group_id", "extgrp-1".to_owned()),
            ("run_id", run.id.to_string()),
            ("policy_check_id", format!("polchk-{}", run.id.body())),
            ("task_stage_id", format!("ts-{}", run.id.body())),
            ("policy_evaluation_id", format!("poleval-{}", run.id.body())),
            (
                "policy_set_outcome_id",
                format!("psout-{}-0", run.id.body()),
            ),
            ("plan_id", run.plan.to_string()),
            ("apply_id", run.apply.to_string()),
            ("cost_estimate_id", estimate.to_string()),
            ("configuration_version_id", run.configuration.to_string()),
            ("state_version_id", state),
            ("output_id", output),
            ("list", "workspaces".to_owned()),
            ("environment_id", team.environment.id.to_string()),
            // A signed URL that we did not sign.
            ("id", run.id.to_string()),
            ("expires", "0".to_owned()),
            ("signature", "x".repeat(43)),
        ]);
        let mut parameters = parameters;
        // Made for the rows that name them only: every row and caller has a scene of its own.
        let names = |ids: &[&str]| ids.iter().any(|id| wanted.contains(&format!("{{{id}}}")));
        if names(POLICY_IDS) {
            parameters.extend(policies(app, &team).await);
        }
        if names(AUDIT_IDS) {
            parameters.extend(audit(app, &team).await);
        }
        if names(IDENTITY_IDS) {
            parameters.extend(identity(app, &team).await);
        }
        if names(COST_IDS) {
            parameters.extend(limits(app, &team).await);
        }
        Self {
            team,
            foreign: foreign.clone(),
            run,
            other_run,
            parameters,
        }
    }

    fn token(&self, caller: Caller) -> Option<&str> {
        match caller {
            Caller::Admin => Some(self.team.admin.as_ref()),
            Caller::Reader => Some(self.team.reader.as_ref()),
            Caller::Foreign => Some(self.foreign.as_ref()),
            Caller::Run => Some(self.run.as_ref()),
            Caller::OtherRun => Some(self.other_run.as_ref()),
            Caller::Nobody => None,
        }
    }

    /// `text` with each `{parameter}` replaced. Unknown ones in a path are an error.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.parameters {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        filled
    }

    /// The path of an operation that the table has.
    pub(super) fn path_of(&self, operation: &Operation) -> String {
        let filled = self.fill(&operation.path);
        assert!(!filled.contains('{'), "{filled}: no value for a parameter");
        filled
    }

    fn path(&self, operation: &Operation, row: &Row) -> Result<String, String> {
        let path = self.fill(&operation.path);
        if path.contains('{') {
            return Err(format!(
                "{path}: no value for a parameter; add it to `Scene::new` in src/tests/matrix.rs"
            ));
        }
        Ok(path + &self.fill(&row.query))
    }
}

/// Parameters that [`identity`] fills in.
const IDENTITY_IDS: &[&str] = &["identity_provider_id", "invitation_id", "session_id"];

/// A provider, an invitation that waits, and a browser of the administrator.
async fn identity(app: &TestApp, team: &Team) -> BTreeMap<&'static str, String> {
    let call = app.post("/api/v2/invitations").by(&team.admin);
    let invited = call.attributes("invitations", json!({ "email": "new@b.test" }));
    BTreeMap::from([
        ("invitation_id", invited.await.expect(201).id()),
        ("identity_provider_id", provider(app, team).await),
        ("session_id", session(app, team).await),
    ])
}

/// A browser in which the administrator is signed in.
async fn session(app: &TestApp, team: &Team) -> String {
    let id = domain::ids::SessionId::random();
    let now = app.clock.now();
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "INSERT INTO sessions (id, user_id, hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&id)
    .bind(&team.admin.id)
    .bind(id.to_string())
    .bind(now)
    .bind(now + chrono::TimeDelta::hours(1))
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

/// A provider of the account, which answers nobody: its host has no address.
async fn provider(app: &TestApp, team: &Team) -> String {
    let oidc = json!({ "issuer": "https://idp.invalid", "client-id": "terrane" });
    let attributes = json!({ "name": "spare", "kind": "oidc", "oidc": oidc });
    let call = app.post("/api/v2/identity-providers").by(&team.admin);
    let made = call.attributes("identity-providers", attributes).await;
    made.expect(201).id()
}

/// Both checks of the run in question, not asked yet.
async fn checks(app: &TestApp, team: &Team, run: &TestRun) {
    let mut tx = app.db.begin().await.unwrap();
    for stage in PolicyStage::ALL.iter().copied() {
        gates::announce(&mut tx, &team.tenant, &run.id, stage, app.clock.now())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// An estimate of the run, not made yet.
async fn estimate(app: &TestApp, team: &Team, run: &TestRun) -> CostEstimateId {
    let of = RunPlan {
        run: run.id.clone(),
        environment: team.environment.id.clone(),
        workspace: team.workspace.id.clone(),
        plan_json: None,
    };
    let mut tx = app.db.begin().await.unwrap();
    let id = costs::announce(&mut tx, &app.context(&team.admin), of)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

/// A state of the team's workspace with one output and no resources: both ids.
async fn state(app: &TestApp, team: &Team) -> (String, String) {
    let path = format!("/api/v2/workspaces/{}", team.workspace.id);
    let content = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "matrix",
        "outputs": { "a": { "value": "b", "type": "string" } }, "resources": [],
    });
    let content = content.to_string();
    let attributes = json!({
        "serial": 1, "lineage": "matrix", "md5": hex::encode(Md5::digest(content.as_bytes())),
        "state": STANDARD.encode(&content),
    });
    app.post(format!("{path}/actions/lock"))
        .by(&team.admin)
        .await
        .expect(200);
    let made = app
        .post(format!("{path}/state-versions"))
        .by(&team.admin)
        .attributes("state-versions", attributes)
        .await
        .expect(201)
        .id();
    app.post(format!("{path}/actions/unlock"))
        .by(&team.admin)
        .await
        .expect(200);
    let outputs = app
        .get(format!("/api/v2/state-versions/{made}/outputs"))
        .by(&team.admin)
        .await
        .expect(200);
    let output = outputs.data()[0]["id"].as_str().unwrap().to_owned();
    (made, output)
}

/// Parameters that [`policies`] fills in.
const POLICY_IDS: &[&str] = &[
    "policy_group_id",
    "impact_analysis_id",
    "policy_set_id",
    "policy_revision_id",
    "policy_set_version_id",
    "policy_id",
    "parameter_id",
    "data_document_id",
    "impact_analysis_id",
];

/// Parameters that [`audit`] fills in.
const AUDIT_IDS: &[&str] = &["audit_record_id", "audit_stream_id"];

/// A stream of the account, and the record that it was made.
async fn audit(app: &TestApp, team: &Team) -> BTreeMap<&'static str, String> {
    let attributes = json!({ "name": "spare", "kind": "webhook",
        "url": "https://siem.example.com/spare", "secret": "sixteen-bytes-or-more" });
    let stream = app
        .post("/api/v2/audit-streams")
        .by(&team.admin)
        .attributes("audit-streams", attributes)
        .await
        .expect(201)
        .id();
    let path = format!("/api/v2/audit-records?filter[target]={stream}");
    let records = app.get(path).by(&team.admin).await.expect(200);
    let record = records.data()[0]["id"].as_str().unwrap().to_owned();
    BTreeMap::from([("audit_record_id", record), ("audit_stream_id", stream)])
}

/// Parameters that [`limits`] fills in.
const COST_IDS: &[&str] = &["cost_limit_id", "cost_adjustment_id"];

/// A cost limit and an adjustment of prices.
async fn limits(app: &TestApp, team: &Team) -> BTreeMap<&'static str, String> {
    let make = async |path: &str, kind: &str, attributes: Value| {
        let call = app.post(path).by(&team.admin);
        call.attributes(kind, attributes).await.expect(201).id()
    };
    let path = format!(
        "/api/v2/organizations/{}/cost-limits",
        team.environment.name
    );
    let limit = json!({ "monthly-limit": "100", "action": "warn" });
    let limit = make(&path, "cost-limits", limit).await;
    let discount = json!({ "kind": "discount", "subject": "aws_eip", "amount": "1" });
    let adjustment = make("/api/v2/cost-adjustments", "cost-adjustments", discount).await;
    BTreeMap::from([("cost_limit_id", limit), ("cost_adjustment_id", adjustment)])
}

/// A policy group that is bound to nothing, and what belongs to it.
async fn policies(app: &TestApp, team: &Team) -> BTreeMap<&'static str, String> {
    let make = async |path: &str, kind: &str, attributes: Value| {
        let call = app.post(path).by(&team.admin);
        call.attributes(kind, attributes).await.expect(201).id()
    };
    let named = json!({ "name": "spare" });
    let group = make("/api/v2/policy-groups", "policy-groups", named).await;
    let path = format!("/api/v2/policy-groups/{group}/revisions");
    let revision = app.post(path).by(&team.admin).await.expect(201).id();
    let analysis = analysis(app, team, &group, &revision).await;
    let path = format!("/api/v2/policy-sets/{group}/parameters");
    let parameter = make(&path, "vars", json!({ "key": "a", "value": "b" })).await;
    let path = format!("/api/v2/organizations/{}/policies", team.environment.name);
    let query = "data.terraform.policies.spare.deny";
    let single = json!({ "name": "spare", "kind": "opa", "query": query });
    let single = make(&path, "policies", single).await;
    let path = "/api/v2/policy-data-documents";
    let body = json!({ "name": "spare", "body": {} });
    let document = make(path, "policy-data-documents", body).await;
    BTreeMap::from([
        ("policy_group_id", group.clone()),
        ("policy_set_id", group),
        ("policy_revision_id", revision.clone()),
        ("policy_set_version_id", revision),
        ("impact_analysis_id", analysis),
        ("policy_id", single),
        ("parameter_id", parameter),
        ("data_document_id", document),
    ])
}

/// An analysis that has come to its end; one that could be made by a request would need files.
async fn analysis(app: &TestApp, team: &Team, group: &str, revision: &str) -> String {
    let id = domain::ids::ImpactAnalysisId::random();
    let mut tx = app.db.begin().await.unwrap();
    tx.query(
        "INSERT INTO impact_analyses (id, account_id, group_id, revision_id, status, created_by,
            created_at, finished_at) VALUES ($1, $2, $3, $4, 'finished', 'system', $5, $5)",
    )
    .bind(&id)
    .bind(team.tenant.account())
    .bind(group)
    .bind(revision)
    .bind(app.clock.now())
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

async fn observe(
    app: &TestApp,
    foreign: &TestUser,
    operation: &Operation,
    row: &Row,
) -> Result<[u16; 6], String> {
    let mut statuses = [0; 6];
    // What only reads can share its objects.
    let reads = operation.method == "GET";
    let wanted = format!("{}{}{}", operation.path, row.query, row.body);
    let mut scene = Scene::new(app, foreign, &wanted).await;
    for (at, caller) in CALLERS.into_iter().enumerate() {
        if at > 0 && !reads {
            scene = Scene::new(app, foreign, &wanted).await;
        }
        let method: Method = operation.method.parse().unwrap();
        let mut call = app.call(method, scene.path(operation, row)?);
        if !row.body.is_empty() {
            let body = scene.fill(&row.body);
            call = if body.starts_with('{') {
                let json: Value = serde_json::from_str(&body).map_err(|error| {
                    format!(
                        "{} {}: its body is no JSON: {error}",
                        operation.method, operation.path
                    )
                })?;
                call.json(&json)
            } else {
                call.body("application/x-www-form-urlencoded", body)
            };
        }
        if let Some(token) = scene.token(caller) {
            call = call.by(token);
        }
        statuses[at] = call.await.status.as_u16();
    }
    Ok(statuses)
}

fn line(operation: &Operation, row: &Row, statuses: [u16; 6]) -> String {
    let target = format!("{}{}", operation.path, row.query);
    let mut line = format!("{:<6} {target:<84}", operation.method);
    for status in statuses {
        let _ = write!(line, " {status}");
    }
    line
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn authorization_matrix(db: Db) {
        let app = TestApp::new(db);
        let elsewhere = app.account().await;
        let foreign = app.user(&elsewhere, Role::Admin).await;
        let mut expected = table();
        let mut complaints = Vec::new();
        for operation in operations() {
            let unknown = Row { statuses: [0; 6], body: String::new(), query: String::new() };
            let known = expected.remove(&operation);
            let row = known.as_ref().unwrap_or(&unknown);
            match observe(&app, &foreign, &operation, row).await {
                Err(problem) => complaints.push(problem),
                Ok(observed) if known.is_none() => complaints.push(format!(
                    "no row; if these statuses are right, add (and a body, indented below it):\n{}",
                    line(&operation, row, observed)
                )),
                Ok(observed) if observed != row.statuses => complaints.push(format!(
                    "expected\n{}\nobserved\n{}",
                    line(&operation, row, row.statuses),
                    line(&operation, row, observed)
                )),
                Ok(_) => {}
            }
        }
        for (operation, row) in &expected {
            complaints.push(format!(
                "no such route any more; delete the row\n{}",
                line(operation, row, row.statuses)
            ));
        }
        assert!(
            complaints.is_empty(),
            "src/tests/matrix.txt and the routes differ:\n\n{}",
            complaints.join("\n\n")
        );
    }
}
