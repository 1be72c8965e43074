//! What a workspace's states cost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blob::BlobStore;
use db::Db;
use domain::ids::StateVersionId;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{GATEWAY, gateways, planned};
use crate::costs::StateKeeper;
use crate::objects;
use crate::testing::{Answer, Team, TestApp};
use crate::workspaces::Workspace;

/// A gateway in a state, in the region that it names.
pub(super) fn gateway(module: &str, name: &str, tags: Value) -> Value {
    json!({ "mode": "managed", "module": module, "type": "aws_nat_gateway", "name": name,
        "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
        "instances": [{ "attributes": { "id": name, "region": "us-east-1", "tags": tags } }] })
}

/// This many gateways in the root module.
pub(super) fn some(count: usize) -> Vec<Value> {
    (0..count)
        .map(|at| gateway("", &format!("g{at}"), json!({})))
        .collect()
}

pub(super) fn state(serial: i64, resources: &[Value]) -> Value {
    json!({ "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l",
        "outputs": {}, "resources": resources })
}

/// Makes `state` the current one, as `terraform state push` does.
pub(super) async fn push(
    app: &TestApp,
    team: &Team,
    workspace: &Workspace,
    state: &Value,
) -> String {
    let path = format!("/api/v2/workspaces/{}", workspace.id);
    let act = async |what: &str| {
        let call = app.post(format!("{path}/actions/{what}")).by(&team.admin);
        call.await.expect(200);
    };
    act("lock").await;
    let text = state.to_string();
    let body = json!({ "serial": state["serial"], "lineage": state["lineage"],
        "md5": hex::encode(Md5::digest(&text)), "state": STANDARD.encode(&text) });
    let call = app.post(format!("{path}/state-versions")).by(&team.admin);
    let made = call.attributes("state-versions", body).await.expect(201);
    act("unlock").await;
    made.id()
}

/// Prices until nothing is left.
pub(super) async fn settle(app: &TestApp) {
    let keeper = StateKeeper::new(app.shared());
    for _ in 0..16 {
        keeper.pass().await.unwrap();
        keeper.settle().await;
    }
}

async fn cost(app: &TestApp, team: &Team, workspace: &Workspace) -> Answer {
    let path = format!("/api/v2/workspaces/{}/cost", workspace.id);
    app.get(path).by(&team.reader).await.expect(200)
}

async fn history(app: &TestApp, team: &Team, query: &str) -> Answer {
    let path = format!(
        "/api/v2/workspaces/{}/cost-history{query}",
        team.workspace.id
    );
    app.get(path).by(&team.reader).await.expect(200)
}

async fn execute(app: &TestApp, sql: &'static str) -> u64 {
    let mut tx = app.db.begin().await.unwrap();
    let rows = tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
    rows
}

fn ids(answer: &Answer) -> Vec<String> {
    let data = answer.data();
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    data.as_array().unwrap().iter().map(id).collect()
}

testkit::both_databases! { crate::schema::MIGRATOR;
    async fn whatever_is_current_gets_a_cost_and_history_keeps_them(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let work = &team.workspace;
        let none = cost(&app, &team, work).await;
        assert_eq!(none.attribute("status"), "no-state");
        assert_eq!(none.attribute("monthly-cost"), "0");

        let mut resources = some(2);
        resources.push(json!({ "mode": "managed", "type": "aws_unheard_of", "name": "u",
            "provider": "p", "instances": [{ "attributes": {} }] }));
        let first = push(&app, &team, work, &state(1, &resources)).await;
        let waiting = cost(&app, &team, work).await;
        assert_eq!(waiting.attribute("status"), "pending");
        assert!(waiting.attribute("monthly-cost").is_null());
        settle(&app).await;
        let now = cost(&app, &team, work).await;
        assert_eq!(now.attribute("status"), "priced");
        assert_eq!(now.attribute("monthly-cost"), "65.7");
        assert_eq!(now.attribute("hourly-cost"), "0.09");
        assert_eq!(now.attribute("usage-monthly-cost"), "0");
        assert_eq!(now.attribute("resources-count"), 3);
        assert_eq!(now.attribute("unmatched-resources-count"), 1);
        assert_eq!(now.attribute("counts")["unsupported"], 1);
        assert!(now.attribute("price-book").is_string() && now.attribute("priced-at").is_string());
        assert_eq!(now.data()["relationships"]["state-version"]["data"]["id"], first);

        let second = push(&app, &team, work, &state(2, &[])).await;
        let between = cost(&app, &team, work).await;
        assert_eq!(between.attribute("status"), "pending");
        assert_eq!(between.attribute("monthly-cost"), "65.7");
        let of = &between.data()["relationships"]["priced-state-version"]["data"]["id"];
        assert_eq!(*of, first);
        settle(&app).await;
        let gone = cost(&app, &team, work).await;
        assert_eq!(gone.attribute("status"), "priced");
        assert_eq!(gone.attribute("monthly-cost"), "0");
        assert_eq!(gone.attribute("resources-count"), 0);
        let all = history(&app, &team, "").await;
        assert_eq!(ids(&all), [second.clone(), first.clone()]);
        assert_eq!(all.each("monthly-cost"), ["0", "65.7"]);

        // A roll-back is a state like any other.
        let path = format!("/api/v2/workspaces/{}", work.id);
        app.post(format!("{path}/actions/lock")).by(&team.admin).await.expect(200);
        let id: StateVersionId = first.parse().unwrap();
        let ctx = app.context(&team.admin);
        crate::state::roll_back(&app, &ctx, &work.id, Some(&id)).await.unwrap();
        settle(&app).await;
        assert_eq!(cost(&app, &team, work).await.attribute("monthly-cost"), "65.7");
        let page = history(&app, &team, "?page[size]=1&page[number]=2").await;
        assert_eq!(ids(&page), [second]);
        assert_eq!(page.json()["meta"]["pagination"]["total-count"], 3);
    }

    async fn a_state_that_was_replaced_before_its_turn_is_in_the_history(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let first = push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        let second = push(&app, &team, &team.workspace, &state(2, &some(3))).await;
        settle(&app).await;
        let all = history(&app, &team, "").await;
        assert_eq!(ids(&all), [second, first]);
        assert_eq!(all.each("monthly-cost"), ["98.55", GATEWAY]);
    }

    async fn what_a_run_writes_on_its_way_waits_until_it_is_done(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        execute(&app, "UPDATE state_versions SET intermediate = TRUE").await;
        execute(&app, "UPDATE workspaces SET lock_kind = 'run'").await;
        settle(&app).await;
        assert_eq!(cost(&app, &team, &team.workspace).await.attribute("status"), "pending");
        execute(&app, "UPDATE workspaces SET lock_kind = NULL").await;
        settle(&app).await;
        assert_eq!(cost(&app, &team, &team.workspace).await.attribute("monthly-cost"), GATEWAY);
    }

    async fn the_plan_of_the_run_tells_the_region(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let mut resources = some(1);
        let values = &mut resources[0]["instances"][0]["attributes"];
        values.as_object_mut().unwrap().remove("region");
        push(&app, &team, &team.workspace, &state(1, &resources)).await;
        settle(&app).await;
        let lost = cost(&app, &team, &team.workspace).await;
        assert_eq!(lost.attribute("monthly-cost"), "0");
        assert_eq!(lost.attribute("counts")["unknown"], 1);
        let (run, _) = planned(&app, &team, &team.workspace, &gateways(0, 1)).await;
        let second = push(&app, &team, &team.workspace, &state(2, &resources)).await;
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE state_versions SET run_id = $2 WHERE id = $1")
            .bind(&second)
            .bind(&run.id)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        settle(&app).await;
        assert_eq!(cost(&app, &team, &team.workspace).await.attribute("monthly-cost"), GATEWAY);
    }

    async fn only_the_current_state_follows_the_prices(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let stranger = app.team().await;
        push(&app, &team, &team.workspace, &state(1, &some(2))).await;
        push(&app, &stranger, &stranger.workspace, &state(1, &some(2))).await;
        settle(&app).await;
        push(&app, &team, &team.workspace, &state(2, &some(1))).await;
        settle(&app).await;
        let half = json!({ "kind": "discount", "subject": "aws_*", "amount": "50" });
        let path = "/api/v2/cost-adjustments";
        app.post(path).by(&team.admin).attributes("cost-adjustments", half).await.expect(201);
        settle(&app).await;
        assert_eq!(history(&app, &team, "").await.each("monthly-cost"), ["16.425", "65.7"]);
        let theirs = cost(&app, &stranger, &stranger.workspace).await;
        assert_eq!(theirs.attribute("monthly-cost"), "65.7");

        let usage = "resource_usage:\n  aws_nat_gateway.g0:\n    monthly_data_processed_gb: 100\n";
        let path = format!("/api/v2/workspaces/{}/cost-usage", team.workspace.id);
        app.put(&path).by(&team.admin).body("application/yaml", usage).await.expect(204);
        settle(&app).await;
        let now = cost(&app, &team, &team.workspace).await;
        assert_eq!(now.attribute("monthly-cost"), "18.675");
        assert_eq!(now.attribute("usage-monthly-cost"), "2.25");

        // Another release prices anew what has not just been priced.
        let before = now.attribute("priced-at");
        execute(&app, "UPDATE state_costs SET basis = 'other'").await;
        settle(&app).await;
        let again = cost(&app, &team, &team.workspace).await;
        assert_eq!(again.attribute("priced-at"), before);
        execute(&app, "UPDATE state_costs SET priced_at = since, monthly = '1'").await;
        let earlier = app.clock.now() - chrono::TimeDelta::hours(1);
        let mut tx = app.db.begin().await.unwrap();
        tx.query("UPDATE state_costs SET priced_at = $1").bind(earlier).execute().await.unwrap();
        tx.commit().await.unwrap();
        settle(&app).await;
        assert_eq!(history(&app, &team, "").await.each("monthly-cost"), ["18.675", "1"]);
    }

    async fn what_can_t_be_priced_says_why_and_holds_nobody_up(db: Db) {
        let directory = tempfile::TempDir::new().unwrap();
        let app = TestApp::with_blobs(db, BlobStore::local(directory.path()).unwrap());
        let team = app.team().await;
        let make = async |name: &str, state: Value| {
            let workspace = app.workspace(&team.environment, name).await;
            push(&app, &team, &workspace, &state).await;
            workspace
        };
        let damaged = make("damaged", state(1, &some(1))).await;
        damage(directory.path());
        let huge = make("huge", state(1, &some(1))).await;
        let blanks = tokio::io::AsyncReadExt::take(tokio::io::repeat(b' '), (32 << 20) + 1);
        let stored = objects::put(&app, &team.tenant, "state", blanks, u64::MAX).await.unwrap();
        let mut tx = app.db.begin().await.unwrap();
        objects::own(&mut tx, &team.tenant, &stored.id).await.unwrap();
        tx.query("UPDATE state_versions SET blob_id = $2 WHERE workspace_id = $1")
            .bind(&huge.id)
            .bind(&stored.id)
            .execute()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let odd = make("odd", state(1, &[json!({ "mode": 7 })])).await;
        let sealed = json!({ "serial": 3, "lineage": "l", "meta": {}, "encrypted_data": "AAAA",
            "encryption_version": "v0" });
        let sealed = make("sealed", sealed).await;
        let good = make("good", state(1, &some(1))).await;
        settle(&app).await;
        for (workspace, reason) in [
            (&damaged, "it is damaged in the object store"),
            (&huge, "states are priced up to 33554432"),
            (&odd, "not the JSON of a plan or state"),
            (&sealed, "only the client"),
        ] {
            let answer = cost(&app, &team, workspace).await;
            assert_eq!(answer.attribute("status"), "unpriced", "{reason}: {}", answer.text());
            assert!(answer.attribute("monthly-cost").is_null());
            let said = answer.attribute("error-message");
            assert!(said.as_str().unwrap().contains(reason), "{said}");
        }
        assert_eq!(cost(&app, &team, &good).await.attribute("monthly-cost"), GATEWAY);
        let path = format!("/api/v2/organizations/{}/cost", team.environment.name);
        let all = app.get(path).by(&team.reader).await.expect(200);
        assert_eq!(all.attribute("monthly-cost"), GATEWAY);
        assert_eq!(all.attribute("unpriced-workspaces-count"), 4);
        assert_eq!(all.attribute("workspaces-count"), 6);
    }

    async fn a_process_that_dies_at_work_keeps_no_state_from_its_cost(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        let dead = StateKeeper::new(app.shared());
        dead.pass().await.unwrap();
        drop(dead);
        // Its claim holds for a while, then another has the state.
        settle(&app).await;
        assert_eq!(cost(&app, &team, &team.workspace).await.attribute("status"), "pending");
        let ran_out = "UPDATE state_costs SET claimed_until = since";
        assert_eq!(execute(&app, ran_out).await, 1);
        settle(&app).await;
        assert_eq!(cost(&app, &team, &team.workspace).await.attribute("monthly-cost"), GATEWAY);

        // One that takes every process with it is given up.
        push(&app, &team, &team.workspace, &state(2, &some(2))).await;
        for _ in 0..5 {
            let dead = StateKeeper::new(app.shared());
            dead.pass().await.unwrap();
            drop(dead);
            assert_eq!(execute(&app, "UPDATE state_costs SET claimed_until = since
                WHERE claimed_until IS NOT NULL").await, 1);
        }
        settle(&app).await;
        let given_up = cost(&app, &team, &team.workspace).await;
        assert_eq!(given_up.attribute("status"), "unpriced");
        let said = given_up.attribute("error-message");
        assert!(said.as_str().unwrap().contains("5 times"), "{said}");
    }

    async fn a_late_result_of_an_old_claim_does_not_count(db: Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        let slow = StateKeeper::new(app.shared());
        slow.pass().await.unwrap();
        let taken_over = "UPDATE state_costs SET claim = claim + 1 WHERE status = 'pending'";
        let was_at_work = execute(&app, taken_over).await == 1;
        slow.settle().await;
        let answer = cost(&app, &team, &team.workspace).await;
        let expected = if was_at_work { "pending" } else { "priced" };
        assert_eq!(answer.attribute("status"), expected);
    }

    async fn a_workspace_s_history_is_filtered_by_time(db: Db) {
        let app = TestApp::at(db, "2026-05-01T12:00:00Z");
        let team = app.team().await;
        let first = push(&app, &team, &team.workspace, &state(1, &some(1))).await;
        app.advance(chrono::TimeDelta::days(2));
        let second = push(&app, &team, &team.workspace, &state(2, &some(2))).await;
        settle(&app).await;
        for (query, expected) in [
            ("?filter[since]=2026-05-02", vec![&second]),
            ("?filter[until]=2026-05-02", vec![&first]),
            ("?filter[until]=2026-05-03", vec![&second, &first]),
            ("?filter[since]=2026-05-01T12:00:00Z&filter[until]=2026-05-03T12:00:00Z", vec![&first]),
        ] {
            let found = history(&app, &team, query).await;
            assert_eq!(ids(&found).iter().collect::<Vec<_>>(), expected, "{query}");
        }
        let path = format!("/api/v2/workspaces/{}/cost-history", team.workspace.id);
        for bad in ["yesterday", "2026-13-01", "99999-01-01"] {
            let answer = app.get(format!("{path}?filter[since]={bad}")).by(&team.reader).await;
            assert_eq!(answer.code(), "request.bad-parameter", "{bad}");
        }
    }
}

/// Changes a byte in the middle of each stored object.
fn damage(directory: &std::path::Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}
