//! Policies before a plan: the CLI shows them as a task stage in `cloud`, and says in the log that it
//! waits in `backend "remote"`, which shows no such stage.

use serde_json::json;
use tests::{Answer, Backend, wait};

use crate::common::Session;
use crate::gates::manifest;

/// Objects to runs from the CLI.
const NO_CLI: &str = r#"package terraform

import rego.v1

deny contains "runs start from a repository" if input.tfrun.source == "cli"
"#;

async fn with_policy(backend: Backend, level: &str) -> Session {
    let session = Session::start(backend).await;
    session
        .api
        .policy_group(
            json!({"name": "before", "is-enforced": true, "execute-as": "pre_plan_check"}),
            &[
                ("terrane-policy.hcl", &manifest("no_cli", level)),
                ("no_cli.rego", NO_CLI),
            ],
        )
        .await;
    session.project.ok(&["init"]);
    session
}

async fn newest_run(session: &Session) -> Answer {
    let workspace = session.workspace_id().await;
    let path = format!("workspaces/{workspace}/runs");
    let runs = session.api.get(&path).await;
    let run = runs.expect(200).json["data"][0]["id"].clone();
    let path = format!("runs/{}", run.as_str().unwrap());
    session.api.get(&path).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_asks_for_an_override_before_it_plans() {
    let session = with_policy(Backend::Cloud, "soft-mandatory").await;
    let mut terminal = session.project.terminal(&["apply"]);
    terminal.expect("Enter a value:").type_line("override");
    terminal.expect("Enter a value:").type_line("yes");
    let (status, text) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{text}");
    assert!(text.contains("runs start from a repository"), "{text}");
    assert!(text.contains("Apply complete!"), "{text}");

    let plan = session.project.exits(1, &["plan"]).output;
    assert!(plan.contains("runs start from a repository"), "{plan}");
    assert_eq!(
        newest_run(&session).await.attribute("status"),
        "policy_soft_failed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_is_told_of_a_hard_failure_before_it_plans() {
    let session = with_policy(Backend::Cloud, "hard-mandatory").await;
    let text = session.project.exits(1, &["apply", "-auto-approve"]).output;
    assert!(text.contains("runs start from a repository"), "{text}");
    let run = newest_run(&session).await;
    assert_eq!(run.attribute("status"), "errored");
    assert_eq!(session.serial().await, -1);
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_says_that_it_waits_and_goes_on_when_somebody_overrides() {
    let session = with_policy(Backend::Remote, "soft-mandatory").await;
    let mut terminal = session.project.terminal(&["apply"]);
    terminal.expect("This backend can't ask you here");
    let run = newest_run(&session).await;
    assert_eq!(run.attribute("status"), "pre_plan_awaiting_decision");
    assert_eq!(run.attribute("wait-reason")["code"], "policy-override");
    let stage = &run.json["data"]["relationships"]["task-stages"]["data"][0]["id"];
    let path = format!("task-stages/{}/actions/override", stage.as_str().unwrap());
    let comment = json!({"comment": "agreed with security"});
    session.api.post(&path, comment).await.expect(200);
    terminal.expect("Enter a value:").type_line("yes");
    let (status, text) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{text}");
    assert!(text.contains("runs start from a repository"), "{text}");
    assert!(text.contains("Apply complete!"), "{text}");

    // A hard failure is told in the log as well.
    let group = session.api.get("policy-groups").await.expect(200);
    let group = group.json["data"][0]["id"].as_str().unwrap().to_owned();
    let hard = manifest("no_cli", "hard-mandatory");
    let files = [
        ("terrane-policy.hcl", hard.as_str()),
        ("no_cli.rego", NO_CLI),
    ];
    session.api.policy_revision(&group, &files).await;
    let text = session.project.exits(1, &["plan"]).output;
    assert!(text.contains("this can't be overridden"), "{text}");
    let over = |it: &Answer| it.attribute("status") == "errored";
    let path = format!("runs/{}", newest_run(&session).await.id());
    wait::until_it("the run is over", || session.api.get(&path), over).await;
}
