//! A real runner that is revoked in mid-apply: what it made is not lost, and nothing it says becomes
//! current without a person.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{Answer, wait};

use crate::cli_cancel::recorded_ids;
use crate::faults::{Stage, objects};
use crate::flavour::Flavour;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_runner_made_comes_home_into_quarantine() {
    let Some(stage) = Stage::set(Flavour::Embedded).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 400, 0)).await;
    stage.mid_apply(&run, 5).await;
    let pools = format!("organizations/{}/agent-pools", stage.dev.facts.environment);
    let pool = first(&stage.api.get(&pools).await.expect(200));
    let agents = format!("agent-pools/{pool}/agents");
    let runner = first(&stage.api.get(&agents).await.expect(200));
    stage
        .api
        .delete(&format!("agents/{runner}"))
        .await
        .expect(204);

    let path = format!("runs/{run}");
    let uncertain = |it: &Answer| it.attribute("wait-reason")["code"] == "state-uncertain";
    let seen = wait::until_it("the run is uncertain", || stage.api.get(&path), uncertain).await;
    assert_eq!(seen.attribute("status"), "errored");
    // It stops terraform, delivers, and ends.
    wait::blocking("the runner ends", || !tests::is_alive(stage.runner.pid()));
    let made = stage.cloud.ids("sandbox_object");
    assert!(made.len() < 40, "terraform went on");
    let path = format!("workspaces/{}", stage.workspace);
    let workspace = stage.api.get(&path).await.expect(200);
    assert_eq!(workspace.attribute("locked"), true);
    let path = format!("{path}/quarantined-states");
    let last = first(&stage.api.get(&path).await.expect(200));

    // A person takes the last one, which knows everything that was made.
    stage
        .api
        .post(&format!("runs/{run}/actions/resolve"), json!({}))
        .await
        .expect(202);
    let lock = format!("workspaces/{}/actions/lock", stage.workspace);
    stage.api.post(&lock, json!({})).await.expect(200);
    stage
        .api
        .post(&format!("state-versions/{last}/actions/promote"), json!({}))
        .await
        .expect(200);
    let recorded: BTreeSet<_> = recorded_ids(&stage.api.state(&stage.workspace).await)
        .into_iter()
        .collect();
    assert_eq!(recorded, made.into_iter().collect());
}

fn first(list: &Answer) -> String {
    list.json["data"][0]["id"].as_str().unwrap().to_owned()
}
