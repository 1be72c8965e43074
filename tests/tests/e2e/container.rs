//! A container that dies in the middle of an apply, as `docker kill` or the machine's owner may end it.

use std::process::Command;

use crate::cli_cancel::recorded_ids;
use crate::faults::{Stage, objects};
use crate::flavour::Flavour;

/// What the provider may have made without terraform having heard of it: ten at a time.
const IN_FLIGHT: usize = 10;

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "docker {}: {said}",
        arguments.join(" ")
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_killed_in_mid_apply_is_recovered() {
    let Some(stage) = Stage::set(Flavour::Outside).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 300, 0)).await;
    stage.mid_apply(&run, 12).await;
    let label = format!(
        "label=terrane.runner={}",
        stage.runner.directory().display()
    );
    let container = docker(&["ps", "--quiet", "--filter", &label]);
    assert_eq!(container.lines().count(), 1, "{container}");
    docker(&["kill", &container]);

    let ended = stage.resolved(&run).await;
    assert_eq!(ended.attribute("status"), "errored");
    let made = stage.cloud.ids("sandbox_object");
    let recorded = recorded_ids(&stage.api.state(&stage.workspace).await);
    assert!(!recorded.is_empty() && recorded.iter().all(|id| made.contains(id)));
    let lost = stage.lost(&run).await;
    assert!(
        lost.len() <= IN_FLIGHT,
        "{} objects are neither recorded nor reported",
        lost.len()
    );
    let left = docker(&["ps", "--all", "--quiet", "--filter", &label]);
    assert!(left.is_empty(), "the dead container is still there: {left}");

    let next = stage.apply(&objects(&stage.endpoint, 40, 0, 0)).await;
    stage.api.run_status(&next, &["applied"]).await;
    let recorded = recorded_ids(&stage.api.state(&stage.workspace).await);
    assert_eq!(recorded.len(), 40);
}
