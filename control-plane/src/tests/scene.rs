//! The objects that the rows of `matrix.txt` name: a tenant with one of everything.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::CostEstimateId;
use domain::policy::PolicyStage;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::matrix::Row;
use super::openapi::Operation;
use crate::costs::{self, RunPlan};
use crate::runs::gates;
use crate::tenancy::Environment;
use crate::testing::{Team, TestApp, TestRun, TestUser};
use crate::workspaces::Workspace;

/// The objects that a row's parameters name.
pub(super) struct Scene {
    pub(super) team: Team,
    pub(super) run: TestRun,
    pub(super) other_run: TestRun,
    /// A workspace of the same environment, and an environment of the same account.
    pub(super) neighbour: Workspace,
    pub(super) other_environment: Environment,
    parameters: BTreeMap<&'static str, String>,
    custom_role: String,
}

impl Scene {
    pub(super) async fn new(app: &TestApp, wanted: &str) -> Self {
        let team = app.team().await;
        let run = app.run_in_progress(&team.workspace).await;
        let neighbour = app.workspace(&team.environment, "neighbour").await;
        let other_run = app.run_in_progress(&neighbour).await;
        let other_environment = app.environment(&team.account, "beside").await;
        // A project that may be deleted.
        let environment = format!("/api/v2/organizations/{}", team.environment.name);
        let project = app
            .post(format!("{environment}/projects"))
            .by(&team.admin)
            .attributes("projects", json!({ "name": "spare" }))
            .await
            .expect(201)
            .id();
        let mut parameters = BTreeMap::from([
            ("organization", team.environment.name.clone()),
            ("name", team.workspace.name.clone()),
            ("workspace_id", team.workspace.id.to_string()),
            ("account_id", team.tenant.account().to_string()),
            ("project_id", project),
            // The user in question is the administrator; so is the token's owner.
            ("user_id", team.admin.id.to_string()),
            ("username", team.reader.username.clone()),
            (
                "organization_membership_id",
                team.reader.id.as_str().replacen("user-", "ou-", 1),
            ),
            ("reader_id", team.reader.id.to_string()),
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
            ("configuration_version_id", run.configuration.to_string()),
            ("list", "workspaces".to_owned()),
            // A provisioning client's objects, which no token of ours may see.
            ("scim_user_id", "ext-1".to_owned()),
            ("scim_group_id", "extgrp-1".to_owned()),
            ("environment_id", team.environment.id.to_string()),
            // A signed URL that we did not sign.
            ("id", run.id.to_string()),
            ("expires", "0".to_owned()),
            ("signature", "x".repeat(43)),
        ]);
        // The rest is made for the rows that name it only: many of them have a scene of their own.
        let names = |ids: &[&str]| ids.iter().any(|id| wanted.contains(&format!("{{{id}}}")));
        if names(&["token_id"]) {
            let path = format!("/api/v2/users/{}/authentication-tokens", team.admin.id);
            let tokens = app.get(path).by(&team.admin).await.expect(200);
            let token = tokens.data()[0]["id"].as_str().unwrap().to_owned();
            parameters.insert("token_id", token);
        }
        if names(&["variable_id"]) {
            let path = format!("/api/v2/workspaces/{}/vars", team.workspace.id);
            let attributes = json!({ "key": "a", "category": "terraform" });
            let call = app
                .post(path)
                .by(&team.admin)
                .attributes("vars", attributes);
            parameters.insert("variable_id", call.await.expect(201).id());
        }
        if names(&["agent_pool_id", "agent_id"]) {
            // A pool that may be deleted, with a runner.
            let call = app
                .post(format!("{environment}/agent-pools"))
                .by(&team.admin);
            let call = call.attributes("agent-pools", json!({ "name": "spare" }));
            let pool = call.await.expect(200).id();
            let runner = app.runner(&team.tenant, &pool).await;
            parameters.extend([("agent_pool_id", pool), ("agent_id", runner.to_string())]);
        }
        if names(&["team_id"]) {
            let call = app.post(format!("{environment}/teams")).by(&team.admin);
            let call = call.attributes("teams", json!({ "name": "sre" }));
            parameters.insert("team_id", call.await.expect(200).id());
        }
        if names(&["approval_rule_id"]) {
            let path = format!("/api/v2/workspaces/{}/approval-rules", team.workspace.id);
            let call = app.post(path).by(&team.admin);
            let call = call.attributes("approval-rules", json!({ "count": 2 }));
            parameters.insert("approval_rule_id", call.await.expect(201).id());
        }
        if names(&["state_version_id", "output_id"]) {
            let (state, output) = state(app, &team).await;
            parameters.extend([("state_version_id", state), ("output_id", output)]);
        }
        if names(&["cost_estimate_id", "run_id"]) {
            let estimate = estimate(app, &team, &run).await;
            parameters.insert("cost_estimate_id", estimate.to_string());
        }
        if names(&[
            "policy_check_id",
            "task_stage_id",
            "policy_evaluation_id",
            "run_id",
        ]) {
            checks(app, &team, &run).await;
        }
        if names(IDENTITY_IDS) {
            parameters.extend(identity(app, &team).await);
        }
        if names(POLICY_IDS) {
            parameters.extend(policies(app, &team).await);
        }
        if names(ACCESS_IDS) {
            parameters.extend(access(app, &team).await);
        }
        if names(CLOUD_IDS) {
            parameters.extend(clouds(app, &team).await);
        }
        if names(AUDIT_IDS) {
            parameters.extend(audit(app, &team).await);
        }
        if names(COST_IDS) {
            parameters.extend(limits(app, &team).await);
        }
        Self {
            team,
            run,
            other_run,
            neighbour,
            other_environment,
            parameters,
            custom_role: String::new(),
        }
    }

    /// A role of the account's own that is tried, once there is one.
    pub(super) fn custom_role(&self) -> &str {
        &self.custom_role
    }

    pub(super) fn set_custom_role(&mut self, id: String) {
        self.custom_role = id;
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

    /// The id or name behind a parameter.
    pub(super) fn value(&self, name: &str) -> &str {
        &self.parameters[name]
    }

    /// # Errors
    /// What is missing to call it.
    pub(super) fn path(&self, operation: &Operation, row: &Row) -> Result<String, String> {
        let path = self.fill(&operation.path);
        if path.contains('{') {
            return Err(format!(
                "{path}: no value for a parameter; add it to `Scene::new` in src/tests/scene.rs"
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

/// Parameters that [`access`] fills in.
const ACCESS_IDS: &[&str] = &["role_id", "access_policy_id", "service_account_id"];

/// A role that nobody has, and a grant on the workspace.
async fn access(app: &TestApp, team: &Team) -> BTreeMap<&'static str, String> {
    let attributes = json!({ "name": "spare", "permissions": ["runs:read"] });
    let call = app.post("/api/v2/roles").by(&team.admin);
    let role = call.attributes("roles", attributes).await.expect(201).id();
    let grant = grant(
        app,
        &team.admin,
        &team.reader,
        "role-user",
        Some(team.workspace.id.as_str()),
    );
    let call = app.post("/api/v2/service-accounts").by(&team.admin);
    let robot = call.attributes("service-accounts", json!({ "name": "spare" }));
    let robot = robot.await.expect(201).id();
    BTreeMap::from([
        ("role_id", role),
        ("access_policy_id", grant.await),
        ("service_account_id", robot),
    ])
}

/// Grants `role` to a user at a place, by its id; in the account without one. Gives the grant's id.
pub(super) async fn grant(
    app: &TestApp,
    by: &TestUser,
    to: &TestUser,
    role: &str,
    place: Option<&str>,
) -> String {
    let mut relationships = json!({
        "user": { "data": { "type": "users", "id": to.id } },
        "role": { "data": { "type": "roles", "id": role } },
    });
    if let Some(id) = place {
        let name = match id.split_once('-').map(|it| it.0) {
            Some("env") => "environment",
            Some("prj") => "project",
            _ => "workspace",
        };
        relationships[name] = json!({ "data": { "type": format!("{name}s"), "id": id } });
    }
    let body = json!({ "data": { "type": "access-policies", "relationships": relationships } });
    let call = app.post("/api/v2/access-policies").by(by).json(&body);
    call.await.expect(201).id()
}

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

/// Parameters that [`clouds`] fills in.
const CLOUD_IDS: &[&str] = &[
    "provider_configuration_id",
    "provider_configuration_link_id",
];

/// A provider configuration that nobody uses, and a link to another.
async fn clouds(app: &TestApp, team: &Team) -> BTreeMap<&'static str, String> {
    let make = async |name: &str| {
        let attributes = json!({ "name": name, "provider": "custom", "is-shared": true });
        let call = app.post("/api/v2/provider-configurations").by(&team.admin);
        let call = call.attributes("provider-configurations", attributes);
        call.await.expect(201).id()
    };
    let (unused, used) = (make("unused").await, make("used").await);
    let path = format!(
        "/api/v2/workspaces/{}/provider-configuration-links",
        team.workspace.id
    );
    let configuration = json!({ "type": "provider-configurations", "id": used });
    let body = json!({ "data": { "type": "provider-configuration-links", "relationships": {
        "provider-configuration": { "data": configuration } } } });
    let link = app.post(path).by(&team.admin).json(&body).await;
    BTreeMap::from([
        ("provider_configuration_id", unused),
        ("provider_configuration_link_id", link.expect(201).id()),
    ])
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
