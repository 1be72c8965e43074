//! A real runner that is revoked in mid-apply: what it made is not lost, and nothing it says becomes
//! current without a person.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{Answer, wait};

use crate::cli_cancel::recorded_ids;
use crate::faults::{Stage, objects};
use crate::flavour::{Flavour, both_flavours};

both_flavours! {
    what_a_revoked_runner_made_comes_home_into_quarantine,
    a_runner_that_is_revoked_while_it_is_away_delivers_its_journal,
}

/// It is cut off, stops terraform, delivers, and ends.
async fn what_a_revoked_runner_made_comes_home_into_quarantine(flavour: Flavour) {
    let Some(stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 200, 2000, 0)).await;
    stage.mid_apply(&run, 5).await;
    revoke(&stage).await;
    let before = current_serial(&stage).await;
    is_uncertain(&stage, &run).await;
    wait::blocking("the runner ends", || !tests::is_alive(stage.runner.pid()));
    let made = stage.cloud.ids("sandbox_object");
    assert!(made.len() < 200, "terraform went on");
    assert!(
        current_serial(&stage).await <= before,
        "a revoked runner has made a state current"
    );
    let promoted = promote_the_newest(&stage, &run).await;
    assert_eq!(promoted, made.into_iter().collect());
}

/// All that is left of its apply is what was journalled.
async fn a_runner_that_is_revoked_while_it_is_away_delivers_its_journal(flavour: Flavour) {
    let Some(mut stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 300, 0)).await;
    stage.mid_apply(&run, 12).await;
    stage.runner.power_cut();
    let made: BTreeSet<_> = stage.cloud.ids("sandbox_object").into_iter().collect();
    revoke(&stage).await;
    stage.runner.restart();
    is_uncertain(&stage, &run).await;
    wait::blocking("the runner ends", || !tests::is_alive(stage.runner.pid()));
    let promoted = promote_the_newest(&stage, &run).await;
    assert!(!promoted.is_empty() && promoted.is_subset(&made));
    // Ten at a time are in flight: the provider may have finished those, terraform never said so.
    assert!(
        made.len() - promoted.len() <= 10,
        "{promoted:?} of {made:?}"
    );
}

async fn revoke(stage: &Stage) {
    let pools = format!("organizations/{}/agent-pools", stage.dev.facts.environment);
    let pool = first(&stage.api.get(&pools).await.expect(200));
    let agents = format!("agent-pools/{pool}/agents");
    let runner = first(&stage.api.get(&agents).await.expect(200));
    let path = format!("agents/{runner}");
    stage.api.delete(&path).await.expect(204);
}

async fn current_serial(stage: &Stage) -> Option<i64> {
    stage.api.serial(&stage.workspace).await
}

/// The run is given up, and its workspace stays locked.
async fn is_uncertain(stage: &Stage, run: &str) {
    let path = format!("runs/{run}");
    let uncertain = |it: &Answer| it.attribute("wait-reason")["code"] == "state-uncertain";
    let seen = wait::until_it("the run is uncertain", || stage.api.get(&path), uncertain).await;
    assert_eq!(seen.attribute("status"), "errored");
    let path = format!("workspaces/{}", stage.workspace);
    let workspace = stage.api.get(&path).await.expect(200);
    assert_eq!(workspace.attribute("locked"), true);
}

/// A person takes the newest state in quarantine; gives the objects that it knows.
async fn promote_the_newest(stage: &Stage, run: &str) -> BTreeSet<String> {
    let workspace = format!("workspaces/{}", stage.workspace);
    let path = format!("{workspace}/quarantined-states");
    let list = stage.api.get(&path).await.expect(200);
    let newest = list.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|it| it["attributes"]["serial"].as_i64())
        .expect("something was delivered");
    let newest = newest["id"].as_str().unwrap().to_owned();
    let act = async |path: String, status: u16| {
        stage.api.post(&path, json!({})).await.expect(status);
    };
    act(format!("runs/{run}/actions/resolve"), 202).await;
    act(format!("{workspace}/actions/lock"), 200).await;
    act(format!("state-versions/{newest}/actions/promote"), 200).await;
    recorded_ids(&stage.api.state(&stage.workspace).await)
        .into_iter()
        .collect()
}

fn first(list: &Answer) -> String {
    list.json["data"][0]["id"].as_str().unwrap().to_owned()
}
