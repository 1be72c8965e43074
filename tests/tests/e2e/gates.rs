//! Policies on a plan, as the CLI shows them in both backends: soft, hard, advisory, broken; who may
//! override; what the API and the audit log say.

use serde_json::{Value, json};
use tests::{Answer, Api, Backend};

use crate::common::Session;

/// A manifest with one policy of this name and level.
pub(crate) fn manifest(name: &str, level: &str) -> String {
    format!(
        "version = \"v1\"\npolicy \"{name}\" {{\n  enabled = true\n  enforcement_level = \"{level}\"\n}}\n"
    )
}

/// Objects to every resource whose name is `b`.
const NO_B: &str = r#"package terraform

import rego.v1

deny contains msg if {
	some change in input.tfplan.resource_changes
	change.name == "b"
	msg := sprintf("%s must not be there", [change.address])
}
"#;

/// Compiles, and fails when it is asked: nobody may pass because of that.
const BROKEN: &str = r#"package terraform

import rego.v1

deny contains msg if {
	msg := http.send({"method": "get", "url": "http://localhost"}).body
}
"#;

async fn with_policy(backend: Backend, level: &str, text: &str) -> Session {
    let session = Session::start(backend).await;
    session
        .api
        .policy_group(
            json!({"name": "base", "is-enforced": true}),
            &[
                ("terrane-policy.hcl", &manifest("no_b", level)),
                ("no_b.rego", text),
            ],
        )
        .await;
    session.project.ok(&["init"]);
    session
}

async fn newest_run(session: &Session) -> Value {
    let workspace = session.workspace_id().await;
    let path = format!("workspaces/{workspace}/runs");
    session.api.get(&path).await.expect(200).json["data"][0].clone()
}

async fn newest_check(session: &Session) -> Answer {
    let run = newest_run(session).await;
    let check = &run["relationships"]["policy-checks"]["data"][0]["id"];
    let path = format!("policy-checks/{}", check.as_str().unwrap());
    session.api.get(&path).await.expect(200)
}

const OVERRIDE: (&str, &str) = ("Enter a value:", "override");
const YES: (&str, &str) = ("Enter a value:", "yes");

async fn a_soft_failure_is_overridden_or_not(backend: Backend) {
    let session = with_policy(backend, "soft-mandatory", NO_B).await;

    let plan = session.project.exits(1, &["plan"]).output;
    assert!(
        plan.contains("terraform_data.b must not be there"),
        "{plan}"
    );
    let status = newest_run(&session).await["attributes"]["status"].clone();
    assert_eq!(status, "policy_soft_failed");

    let (code, text) = typed(&session, &["apply"], &[("Enter a value:", "no")]);
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("must not be there"), "{text}");
    assert_eq!(session.serial().await, -1);

    let (code, text) = typed(&session, &["apply"], &[OVERRIDE, YES]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Apply complete!"), "{text}");
    assert!(session.serial().await > 0);
    let check = newest_check(&session).await;
    assert_eq!(check.attribute("status"), "overridden");
    assert_eq!(check.attribute("result")["soft-failed"], 1);
    assert_eq!(check.attribute("overridden-by-name"), "admin");

    let results = session
        .api
        .get(&format!("policy-checks/{}/policy-results", check.id()))
        .await
        .expect(200);
    let result = &results.json["data"][0]["attributes"];
    assert_eq!(result["result"], "soft_failed");
    let denial = &result["messages"][0];
    assert_eq!(denial["message"], "terraform_data.b must not be there");
    assert_eq!(denial["resources"], json!(["terraform_data.b"]));
}

fn typed(session: &Session, arguments: &[&str], answers: &[(&str, &str)]) -> (i32, String) {
    let mut terminal = session.project.terminal(arguments);
    for (prompt, answer) in answers {
        terminal.expect(prompt).type_line(answer);
    }
    let (status, transcript) = terminal.finish();
    (status.code().unwrap_or(-1), transcript)
}

async fn a_hard_failure_ends_the_run(backend: Backend) {
    let session = with_policy(backend, "hard-mandatory", NO_B).await;
    let text = session.project.exits(1, &["apply", "-auto-approve"]).output;
    assert!(
        text.contains("terraform_data.b must not be there"),
        "{text}"
    );
    let run = newest_run(&session).await;
    assert_eq!(run["attributes"]["status"], "errored");
    let error = run["attributes"]["error-message"].as_str().unwrap();
    assert!(error.contains("base/no_b"), "{error}");
    assert_eq!(session.serial().await, -1);
    let check = newest_check(&session).await;
    assert_eq!(check.attribute("status"), "hard_failed");
    let path = format!("policy-checks/{}/actions/override", check.id());
    session.api.post(&path, json!({})).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_a_soft_failure_is_overridden_or_not() {
    a_soft_failure_is_overridden_or_not(Backend::Cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_a_soft_failure_is_overridden_or_not() {
    a_soft_failure_is_overridden_or_not(Backend::Remote).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_a_hard_failure_ends_the_run() {
    a_hard_failure_ends_the_run(Backend::Cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote_a_hard_failure_ends_the_run() {
    a_hard_failure_ends_the_run(Backend::Remote).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_policy_that_breaks_fails_closed() {
    let session = with_policy(Backend::Cloud, "advisory", NO_B).await;
    // A warning lets the run pass, and is shown.
    let text = session.project.ok(&["apply", "-auto-approve"]);
    assert!(text.contains("must not be there"), "{text}");
    let serial = session.serial().await;

    let group = group_id(&session.api).await;
    let broken = [
        ("terrane-policy.hcl", manifest("no_b", "hard-mandatory")),
        ("no_b.rego", BROKEN.to_owned()),
    ];
    let files: Vec<_> = broken.iter().map(|(n, t)| (*n, t.as_str())).collect();
    session.api.policy_revision(&group, &files).await;
    let replace = ["apply", "-auto-approve", "-replace=terraform_data.a"];
    let text = session.project.exits(1, &replace).output;
    assert!(text.contains("http.send"), "{text}");
    assert_eq!(
        newest_run(&session).await["attributes"]["status"],
        "errored"
    );
    assert_eq!(session.serial().await, serial);
}

async fn group_id(api: &Api) -> String {
    let groups = api.get("policy-groups").await.expect(200);
    groups.json["data"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_policies_keep_no_other_run_waiting() {
    const ENDLESS: &str = "package terraform\n\nimport rego.v1\n\nf(x) := y if y := f(x + 1)\n\n\
        deny contains \"never\" if f(1) == 0\n";
    let session = with_policy(Backend::Cloud, "hard-mandatory", ENDLESS).await;
    let text = session.project.exits(1, &["apply", "-auto-approve"]).output;
    assert!(text.contains("ERROR"), "{text}");
    let run = newest_run(&session).await;
    assert_eq!(run["attributes"]["status"], "errored");
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_get_the_input_without_its_secrets() {
    let session = with_policy(Backend::Cloud, "advisory", NO_B).await;
    session.project.ok(&["apply", "-auto-approve"]);
    let run = newest_run(&session).await;
    let run = run["id"].as_str().unwrap();
    let input = session.api.get(&format!("runs/{run}/policy-input")).await;
    let input = input.expect(200);
    let changes = input.json["tfplan"]["resource_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(input.json["tfrun"]["workspace"]["name"], "net-dev");
    assert_eq!(input.json["tfrun"]["source"], "cli");
    assert!(input.json["tfrun"]["cost_estimate"].is_object());
    let text = String::from_utf8_lossy(&input.bytes).into_owned();
    assert!(!text.contains("hunter2"), "a secret is in the input");
    let set = session
        .api
        .get(&format!("runs/{run}/policy-input?form=plan"))
        .await
        .expect(200);
    assert!(set.json["plan"].is_object() && set.json["run"].is_object());
}
