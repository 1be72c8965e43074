//! Gates on both databases: what the rows say after each answer, who may override, and what a
//! process that dies leaves behind.

use chrono::TimeDelta;
use db::{Db, Json};
use domain::access::Role;
use domain::policy::PolicyStage;
use domain::run::RunStatus;
use serde_json::{Value, json};
use testkit::both_databases;

use super::{GateKeeper, after_plan, announce};
use crate::costs::tests::gateways;
use crate::objects;
use crate::policies::tests::{archive, create, push};
use crate::runs::machine::Event;
use crate::runs::{self, Run};
use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp, TestRun};

/// Objects to resources named `b`.
const NO_B: &str = "package terraform\n\nimport rego.v1\n\ndeny contains msg if {\n\
    \tsome change in input.tfplan.resource_changes\n\tchange.name == \"b\"\n\
    \tmsg := sprintf(\"%s must go\", [change.address])\n}\n";

/// A group in force everywhere, whose one policy has this level.
async fn group(app: &TestApp, team: &Team, level: &str, stage: &str, text: &str) -> String {
    let manifest = format!(
        "version = \"v1\"\npolicy \"rule\" {{\n  enabled = true\n  enforcement_level = \"{level}\"\n}}\n"
    );
    let attributes = json!({"name": format!("group-{level}"), "is-enforced": true,
        "execute-as": stage});
    let group = create(app, team, attributes).await;
    let files = archive(&[("terrane-policy.hcl", &manifest), ("rule.rego", text)]);
    let revision = push(app, team, &group, files).await;
    assert_eq!(revision.attribute("status"), "good", "{}", revision.text());
    group
}

/// A plan that makes `a` and `b`.
fn plan() -> Value {
    let change = |name: &str| {
        json!({"address": format!("terraform_data.{name}"), "mode": "managed",
            "type": "terraform_data", "name": name,
            "provider_name": "terraform.io/builtin/terraform",
            "change": {"actions": ["create"], "before": null, "after": {"input": "x"},
                "after_unknown": {}, "before_sensitive": false, "after_sensitive": {}}})
    };
    json!({"format_version": "1.2", "terraform_version": "1.11.4",
        "resource_changes": [change("a"), change("b")], "configuration": {"root_module": {}}})
}

async fn read_run(app: &TestApp, team: &Team, run: &TestRun) -> Run {
    let mut conn = app.db.acquire().await.unwrap();
    runs::find(&mut conn, &team.tenant, &run.id)
        .await
        .unwrap()
        .unwrap()
}

/// A run whose plan has just been reported.
async fn planned(app: &TestApp, team: &Team, plan: &str) -> TestRun {
    let run = app.run_in_progress(&team.workspace).await;
    let stored = objects::put(app, &team.tenant, "plan-json", plan.as_bytes(), u64::MAX)
        .await
        .unwrap();
    let mut tx = app.db.begin().await.unwrap();
    runs::attach_artefact(&mut tx, &team.tenant, &run.id, "plan-json", &stored.id)
        .await
        .unwrap();
    tx.query("UPDATE jobs SET status = 'finished' WHERE id = $1")
        .bind(&run.job)
        .execute()
        .await
        .unwrap();
    tx.query("UPDATE runs SET plan_result = $2 WHERE id = $1")
        .bind(&run.id)
        .bind(Json(json!({"has_changes": true})))
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = read_run(app, team, &run).await;
    let mut conn = app.db.acquire().await.unwrap();
    let gates = after_plan(&mut conn, &team.tenant, &found).await.unwrap();
    drop(conn);
    let event = Event::PlanFinished {
        has_changes: true,
        gates,
    };
    let ctx = app.system(&team.account);
    runs::advance(app, &ctx, &found, &event, None)
        .await
        .unwrap();
    run
}

/// Lets every gate that stands open be evaluated until nothing moves any more.
async fn settle(app: &TestApp) {
    let keeper = GateKeeper::new(app.shared(), 4);
    for _ in 0..3 {
        keeper.pass().await.unwrap();
        keeper.settle().await;
    }
}

/// At most 50 a month in the team's environment; a gateway costs some 33.
async fn limit(app: &TestApp, team: &Team, action: &str) {
    let path = format!(
        "/api/v2/organizations/{}/cost-limits",
        team.environment.name
    );
    app.post(path)
        .by(&team.admin)
        .attributes(
            "cost-limits",
            json!({"monthly-limit": "50", "action": action}),
        )
        .await
        .expect(201);
}

async fn status(app: &TestApp, team: &Team, run: &TestRun) -> RunStatus {
    read_run(app, team, run).await.status()
}

both_databases! { MIGRATOR;
    async fn a_soft_failure_waits_and_only_the_right_person_overrides(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        group(&app, &team, "soft-mandatory", "policy_check", NO_B).await;
        let run = planned(&app, &team, &plan().to_string()).await;
        let shown = app.get(format!("/api/v2/runs/{}", run.id)).by(&team.reader).await.expect(200);
        let related = &shown.data()["relationships"];
        assert!(related["cost-estimate"]["data"]["id"].is_string(), "{related}");
        let check = related["policy-checks"]["data"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v2/policy-checks/{check}");
        let pending = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(pending.attribute("status"), "pending");
        settle(&app).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::PolicyOverride);
        let failed = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(failed.attribute("status"), "soft_failed");
        assert_eq!(failed.attribute("permissions")["can-override"], false);
        let text = app.get(format!("{path}/output")).by(&team.reader).await.expect(200);
        assert!(text.text().contains("terraform_data.b must go"), "{}", text.text());

        let over = format!("{path}/actions/override");
        app.post(&over).by(&team.reader).await.expect(403);
        let stranger = app.team().await;
        app.post(&over).by(&stranger.admin).await.expect(404);
        assert_eq!(status(&app, &team, &run).await, RunStatus::PolicyOverride);
        app.post(&over).by(&team.admin).json(&json!({"comment": "agreed"})).await.expect(200);
        assert_eq!(status(&app, &team, &run).await, RunStatus::PolicyChecked);
        assert_eq!(app.audited(&team.tenant, "policy-check.override").await, 1);
        app.post(&over).by(&team.admin).await.expect(409);
        let overridden = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(overridden.attribute("override-comment"), "agreed");
    }

    async fn a_hard_failure_ends_the_run_and_names_the_policy(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        group(&app, &team, "hard-mandatory", "policy_check", NO_B).await;
        let run = planned(&app, &team, &plan().to_string()).await;
        settle(&app).await;
        let found = read_run(&app, &team, &run).await;
        assert_eq!(found.status(), RunStatus::Errored);
        assert!(found.error.unwrap().contains("group-hard-mandatory/rule"));
    }

    async fn what_can_not_be_judged_does_not_pass(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        group(&app, &team, "advisory", "policy_check", NO_B).await;
        let run = planned(&app, &team, "no plan at all").await;
        settle(&app).await;
        let found = read_run(&app, &team, &run).await;
        assert_eq!(found.status(), RunStatus::Errored);
        assert!(found.error.unwrap().contains("could not be asked"));
    }

    async fn a_plan_that_can_never_be_read_keeps_its_run_for_a_time_only(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        group(&app, &team, "advisory", "policy_check", NO_B).await;
        let run = planned(&app, &team, &plan().to_string()).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE blobs SET key_id = 'lost' WHERE kind = 'plan-json'")
            .execute().await.unwrap();
        tx.commit().await.unwrap();
        let keeper = GateKeeper::new(app.shared(), 1);
        let mut passes = 0;
        while !status(&app, &team, &run).await.is_final() {
            let mut tx = app.db.begin().await.unwrap();
            tx.query("UPDATE runs SET gate_claimed_until = NULL").execute().await.unwrap();
            tx.commit().await.unwrap();
            keeper.pass().await.unwrap();
            keeper.settle().await;
            passes += 1;
        }
        assert!(passes > 100, "given up after {passes} passes");
        let found = read_run(&app, &team, &run).await;
        assert_eq!(found.status(), RunStatus::Errored);
        assert!(found.error.unwrap().contains("could not be asked"));
        let estimate = app.get(format!("/api/v2/runs/{}/cost-estimate", run.id))
            .by(&team.reader).await.expect(200);
        assert_eq!(estimate.attribute("status"), "errored", "{}", estimate.text());
    }

    async fn without_groups_a_run_goes_on_after_its_estimate(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let run = planned(&app, &team, &plan().to_string()).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::CostEstimating);
        settle(&app).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::CostEstimated);
    }

    async fn a_gate_whose_process_died_is_taken_by_another(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let run = planned(&app, &team, &plan().to_string()).await;
        let claim = async |until: TimeDelta| {
            let mut tx = app.db.begin().await.unwrap();
            let now = tx.database_now().await.unwrap();
            tx.query("UPDATE runs SET gate_claimed_until = $2 WHERE id = $1")
                .bind(&run.id).bind(now + until).execute().await.unwrap();
            tx.commit().await.unwrap();
        };
        claim(TimeDelta::seconds(60)).await;
        settle(&app).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::CostEstimating);
        claim(TimeDelta::seconds(-1)).await;
        settle(&app).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::CostEstimated);
    }

    async fn a_canceled_run_keeps_its_end_whatever_its_gate_says(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        group(&app, &team, "hard-mandatory", "policy_check", NO_B).await;
        let run = planned(&app, &team, &plan().to_string()).await;
        app.post(format!("/api/v2/runs/{}/actions/cancel", run.id))
            .by(&team.admin).await.expect(202);
        settle(&app).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::Canceled);
        let checks = app.get(format!("/api/v2/runs/{}/policy-checks", run.id))
            .by(&team.reader).await.expect(200);
        assert_eq!(checks.data()[0]["attributes"]["status"], "canceled");
    }

    async fn the_input_is_made_once_and_holds_no_secret(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let mut secret = plan();
        secret["resource_changes"][0]["change"]["after"]["input"] = json!("hunter2-hunter2");
        secret["resource_changes"][0]["change"]["after_sensitive"] = json!({"input": true});
        let run = planned(&app, &team, &secret.to_string()).await;
        let path = format!("/api/v2/runs/{}/policy-input", run.id);
        // Made now, it would be without the cost, and the policies would judge by it.
        app.get(&path).by(&team.admin).await.expect(404);
        settle(&app).await;
        app.get(&path).by(&team.reader).await.expect(403);
        let first = app.get(&path).by(&team.admin).await.expect(200);
        assert!(!first.text().contains("hunter2"), "{}", first.text());
        assert!(first.text().contains("(sensitive)"), "{}", first.text());
        let again = app.get(&path).by(&team.admin).await.expect(200);
        assert_eq!(first.text(), again.text());
        app.get(format!("{path}?stage=never")).by(&team.admin).await.expect(422);
    }

    async fn a_stage_before_the_plan_is_there_as_soon_as_it_is_announced(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let text = "package terraform\n\nimport rego.v1\n\ndeny contains \"no\" if input.tfrun.is_dry == false\n";
        group(&app, &team, "soft-mandatory", "pre_plan_check", text).await;
        let run = app.run_in_progress(&team.workspace).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE runs SET status = 'pre_plan_running', plan_status = 'pending',
                pre_plan_gate = TRUE WHERE id = $1")
            .bind(&run.id).execute().await.unwrap();
        announce(&mut tx, &team.tenant, &run.id, PolicyStage::PrePlan, app.clock.now())
            .await.unwrap();
        tx.commit().await.unwrap();
        let path = format!("/api/v2/runs/{}?include=task_stages", run.id);
        let shown = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(shown.json()["included"][0]["attributes"]["status"], "pending");
        settle(&app).await;
        assert_eq!(status(&app, &team, &run).await, RunStatus::PrePlanAwaitingDecision);
        let stages = app.get(format!("/api/v2/runs/{}/task-stages", run.id))
            .by(&team.reader).await.expect(200);
        let stage = &stages.data()[0];
        assert_eq!(stage["attributes"]["status"], "awaiting_override");
        let evaluation = stage["relationships"]["policy-evaluations"]["data"][0]["id"]
            .as_str().unwrap();
        let outcomes = app
            .get(format!("/api/v2/policy-evaluations/{evaluation}/policy-set-outcomes"))
            .by(&team.reader).await.expect(200);
        let outcome = &outcomes.data()[0];
        assert_eq!(outcome["attributes"]["outcomes"][0]["status"], "failed");
        let id = outcome["id"].as_str().unwrap();
        app.get(format!("/api/v2/policy-set-outcomes/{id}")).by(&team.reader).await.expect(200);
        let stage = stage["id"].as_str().unwrap();
        app.post(format!("/api/v2/task-stages/{stage}/actions/override"))
            .by(&team.admin).await.expect(200);
        assert_eq!(status(&app, &team, &run).await, RunStatus::PlanQueued);
    }

    async fn a_limit_that_blocks_ends_the_run_and_says_why(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        limit(&app, &team, "block").await;
        let run = planned(&app, &team, &gateways(0, 2).to_string()).await;
        settle(&app).await;
        let found = read_run(&app, &team, &run).await;
        assert_eq!(found.status(), RunStatus::Errored);
        let error = found.error.unwrap();
        assert!(error.contains("stopped by a cost limit") && error.contains("50"), "{error}");
    }

    async fn a_limit_that_asks_for_an_approval_holds_a_confirmed_run(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        limit(&app, &team, "require-approval").await;
        let within = planned(&app, &team, &gateways(0, 1).to_string()).await;
        settle(&app).await;
        let found = read_run(&app, &team, &within).await;
        assert!(!found.state.gates.approvals);

        let run = planned(&app, &team, &gateways(0, 2).to_string()).await;
        settle(&app).await;
        let path = format!("/api/v2/runs/{}", run.id);
        app.post(format!("{path}/actions/apply")).by(&team.admin).await.expect(202);
        assert_eq!(status(&app, &team, &run).await, RunStatus::Confirmed);
        let shown = app.get(&path).by(&team.reader).await.expect(200);
        assert_eq!(shown.attribute("wait-reason")["code"], "approval", "{}", shown.text());
        let approve = format!("{path}/approvals");
        let body = json!({"data": {"type": "run-approvals", "attributes": {"comment": "seen"}}});
        app.post(&approve).by(&team.admin).json(&body).await.expect(409);
        let second = app.user(&team.account, Role::Admin).await;
        app.post(&approve).by(&second).json(&body).await.expect(201);
        assert_eq!(status(&app, &team, &run).await, RunStatus::ApplyQueued);
    }

    async fn policies_see_what_the_plan_costs(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let text = "package terraform\n\nimport rego.v1\n\ndeny contains \"dear\" if {\n\
            \tinput.tfrun.cost_estimate.delta_monthly_cost > 50\n}\n";
        group(&app, &team, "hard-mandatory", "policy_check", text).await;
        let cheap = planned(&app, &team, &gateways(0, 1).to_string()).await;
        let dear = planned(&app, &team, &gateways(0, 2).to_string()).await;
        settle(&app).await;
        assert_eq!(status(&app, &team, &cheap).await, RunStatus::PolicyChecked);
        assert_eq!(status(&app, &team, &dear).await, RunStatus::Errored);
    }
}
