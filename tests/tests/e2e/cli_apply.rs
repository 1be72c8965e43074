//! plan, apply and destroy, with every way to answer, in both backends.

use serde_json::Value;
use tests::Backend;

use crate::common::Session;

async fn applies(backend: Backend) {
    let session = Session::start(backend).await;
    session.run("init", 0, &["init"]);
    assert_eq!(session.serial().await, -1);

    let plan = session.run("plan", 0, &["plan"]);
    assert!(
        plan.output
            .contains("Plan: 2 to add, 0 to change, 0 to destroy."),
        "{}",
        plan.output
    );
    assert!(
        plan.output.contains("terraform_data.a will be created"),
        "{}",
        plan.output
    );
    assert_eq!(session.serial().await, -1, "a plan writes no state");

    let yes = [("Enter a value:", "yes")];
    let text = session.answer("apply, answered yes", 0, &["apply"], &yes);
    assert!(
        text.contains("Apply complete! Resources: 2 added, 0 changed, 0 destroyed."),
        "{text}"
    );
    assert!(
        text.contains("workspace = \"net-dev\""),
        "terraform.workspace has its name: {text}"
    );
    assert!(
        !text.contains("hunter2"),
        "a sensitive output is shown: {text}"
    );
    let first = session.serial().await;
    assert!(first > 0);
    assert_eq!(
        session.state_list(),
        ["terraform_data.a", "terraform_data.b"]
    );

    let none = session.run("apply without changes", 0, &["apply"]);
    assert!(none.output.contains("No changes."), "{}", none.output);
    assert_eq!(session.serial().await, first);

    let no = [("Enter a value:", "no")];
    let replace = ["apply", "-replace=terraform_data.a"];
    session.answer("apply, answered no", 1, &replace, &no);
    assert_eq!(session.serial().await, first);
    assert_eq!(
        newest_run(&session).await["attributes"]["status"],
        "discarded"
    );

    session.run(
        "apply -auto-approve",
        0,
        &["apply", "-auto-approve", "-replace=terraform_data.a"],
    );
    let second = session.serial().await;
    assert!(second > first);

    let exit = session.run("plan", 0, &["plan", "-detailed-exitcode"]);
    assert!(exit.output.contains("No changes."), "{}", exit.output);
    session.run(
        "plan",
        2,
        &["plan", "-detailed-exitcode", "-replace=terraform_data.b"],
    );
    let target = session.run("plan", 0, &["plan", "-target=terraform_data.a", "-destroy"]);
    assert!(target.output.contains("1 to destroy"), "{}", target.output);

    session
        .project
        .write("broken.tf", "output \"x\" { value = nonsense.thing }\n");
    let broken = session.run("plan", 1, &["plan"]);
    assert!(
        broken.output.contains("Reference to undeclared resource"),
        "{}",
        broken.output
    );
    std::fs::remove_file(session.project.path().join("broken.tf")).unwrap();

    session.run("apply -auto-approve", 0, &["destroy", "-auto-approve"]);
    assert!(session.serial().await > second);
    assert!(session.state_list().is_empty());
}

/// The run that was made last.
async fn newest_run(session: &Session) -> Value {
    let workspace = session.workspace_id().await;
    let runs = session
        .api
        .get(&format!("workspaces/{workspace}/runs"))
        .await
        .expect(200);
    runs.json["data"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud() {
    applies(Backend::Cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote() {
    applies(Backend::Remote).await;
}

/// The CLI renders a remote plan itself, from the redacted document: nothing sensitive is in it,
/// and a provider's nested blocks are.
#[tokio::test(flavor = "multi_thread")]
async fn the_cli_renders_a_providers_changes() {
    let session = Session::start(Backend::Cloud).await;
    let cloud = testkit::FakeCloud::start();
    let configuration = |secret: &str, size: u32| {
        format!(
            r#"
terraform {{
  required_providers {{
    sandbox = {{ source = "sandbox.test/demo/sandbox" }}
  }}
}}
provider "sandbox" {{ endpoint = "{}" }}
resource "sandbox_object" "a" {{
  name    = "a"
  size    = {size}
  secret  = "{secret}"
  secrets = {{ key = "{secret}" }}
  labels  = {{ team = "x" }}
  rule {{
    port = 80
  }}
}}
"#,
            cloud.endpoint()
        )
    };
    session
        .project
        .write("main.tf", &configuration("first-secret-value", 1));
    session.project.ok(&["init"]);
    let created = words(&session.run("plan", 0, &["plan"]).output);
    assert!(
        created.contains("+ secret = (sensitive value)"),
        "{created}"
    );
    assert!(created.contains("+ port = 80"), "{created}");
    session.project.ok(&["apply", "-auto-approve"]);
    session
        .project
        .write("main.tf", &configuration("second-secret-value", 2));
    let changed = words(&session.run("plan", 0, &["plan"]).output);
    assert!(changed.contains("~ size = 1 -> 2"), "{changed}");
    assert!(
        changed.contains("~ secret = (sensitive value)"),
        "{changed}"
    );
    assert!(
        changed.contains("~ secrets = (sensitive value)"),
        "{changed}"
    );
    assert!(
        changed.contains("Plan: 0 to add, 1 to change, 0 to destroy."),
        "{changed}"
    );

    let run = newest_run(&session).await;
    let plan = run["relationships"]["plan"]["data"]["id"].as_str().unwrap();
    let redacted = session
        .api
        .get(&format!("plans/{plan}/json-output-redacted"))
        .await
        .expect(200);
    let text = String::from_utf8(redacted.bytes).unwrap();
    assert!(!text.contains("secret-value"), "{text}");
}

/// The text with every run of white space as one space: the CLI aligns.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Drift made outside is shown, and taken into the state by a refresh-only run.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_only_takes_drift_into_the_state() {
    let session = Session::start(Backend::Cloud).await;
    let cloud = testkit::FakeCloud::start();
    session.project.write(
        "main.tf",
        &format!(
            "terraform {{\n  required_providers {{\n    sandbox = {{ source = \"sandbox.test/demo/sandbox\" }}\n  }}\n}}\n\
             provider \"sandbox\" {{ endpoint = \"{}\" }}\n\
             resource \"sandbox_object\" \"a\" {{\n  name = \"a\"\n  size = 1\n}}\n",
            cloud.endpoint()
        ),
    );
    session.project.ok(&["init"]);
    session.project.ok(&["apply", "-auto-approve"]);
    let before = session.serial().await;
    let id = cloud.ids("sandbox_object").remove(0);
    let file = cloud.file("sandbox_object", &id);
    let mut object: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    object["size"] = Value::from(7);
    std::fs::write(&file, object.to_string()).unwrap();

    let plan = session.run("plan", 0, &["plan", "-refresh-only"]);
    assert!(
        plan.output.contains("changed outside of Terraform"),
        "{}",
        plan.output
    );
    session.run(
        "apply -auto-approve",
        0,
        &["apply", "-refresh-only", "-auto-approve"],
    );
    assert!(session.serial().await > before);
    let state = session.api.state(&session.workspace_id().await).await;
    assert_eq!(
        state["resources"][0]["instances"][0]["attributes"]["size"],
        7
    );
    session.run("apply without changes", 0, &["refresh"]);
}
