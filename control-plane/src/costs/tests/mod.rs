//! Costs on both databases, through the API where there is one.

mod estimates;
mod limits;
mod prices;
mod state_sums;
mod states;

use domain::ids::BlobId;
use serde_json::{Value, json};

use super::estimate::RunPlan;
use crate::objects;
use crate::testing::{Team, TestApp, TestRun};
use crate::workspaces::Workspace;

/// What a NAT gateway costs a month in us-east-1, from the book in the program.
pub(super) const GATEWAY: &str = "32.85";

fn change(address: &str, kind: &str, before: bool, after: bool) -> Value {
    let actions = match (before, after) {
        (false, true) => "create",
        (true, false) => "delete",
        _ => "no-op",
    };
    let name = address.rsplit('.').next().unwrap();
    let values = json!({ "tags": { "team": name } });
    let side = |there: bool| if there { values.clone() } else { Value::Null };
    json!({
        "address": address, "mode": "managed", "type": kind, "name": name,
        "change": { "actions": [actions], "before": side(before), "after": side(after) },
    })
}

/// A plan with this many NAT gateways before and after.
pub(crate) fn gateways(before: usize, after: usize) -> Value {
    let each = |at: usize| {
        let address = format!("aws_nat_gateway.g{at}");
        change(&address, "aws_nat_gateway", at < before, at < after)
    };
    plan((0..before.max(after)).map(each).collect())
}

/// A plan of `changes`, all of them in us-east-1.
pub(super) fn plan(changes: Vec<Value>) -> Value {
    let resources: Vec<Value> = changes
        .iter()
        .map(|change| json!({ "address": change["address"], "provider_config_key": "aws" }))
        .collect();
    json!({
        "format_version": "1.2", "resource_changes": changes,
        "configuration": {
            "provider_config": {
                "aws": { "expressions": { "region": { "constant_value": "us-east-1" } } },
            },
            "root_module": { "resources": resources },
        },
    })
}

/// Stores `bytes` as the JSON plan of a run.
pub(super) async fn give_plan(app: &TestApp, team: &Team, run: &TestRun, bytes: &[u8]) -> BlobId {
    let stored = objects::put(app, &team.tenant, "plan-json", bytes, 1 << 30)
        .await
        .unwrap();
    let mut tx = app.db.begin().await.unwrap();
    objects::own(&mut tx, &team.tenant, &stored.id)
        .await
        .unwrap();
    tx.query("UPDATE runs SET plan_json_blob_id = $2 WHERE id = $1")
        .bind(&run.id)
        .bind(&stored.id)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    stored.id
}

/// A run of `workspace` whose plan is `plan`.
pub(super) async fn planned(
    app: &TestApp,
    team: &Team,
    workspace: &Workspace,
    plan: &Value,
) -> (TestRun, RunPlan) {
    let run = app.run_in_progress(workspace).await;
    let blob = give_plan(app, team, &run, plan.to_string().as_bytes()).await;
    let of = RunPlan {
        run: run.id.clone(),
        environment: workspace.environment_id.clone(),
        workspace: workspace.id.clone(),
        plan_json: Some(blob),
    };
    (run, of)
}
