//! `plan -out`, `show`, and the apply of a saved plan; variables on the command line.

use tests::Backend;

use crate::common::Session;

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_shown_and_applied() {
    let session = Session::applied(Backend::Cloud).await;
    let before = session.serial().await;
    session.run("plan", 0, &["plan", "-out=p.tfplan", "-var=message=v2"]);
    let workspace = session.workspace_id().await;
    let runs = session
        .api
        .get(&format!("workspaces/{workspace}/runs"))
        .await
        .expect(200);
    assert_eq!(
        runs.json["data"][0]["attributes"]["status"],
        "planned_and_saved"
    );

    let shown = session.run("show a saved plan", 0, &["show", "p.tfplan"]);
    assert!(
        shown.output.contains("\"v1\" -> \"v2\""),
        "{}",
        shown.output
    );
    let json = session.run("show -json a saved plan", 0, &["show", "-json", "p.tfplan"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["variables"]["message"]["value"], "v2");

    let applied = session.run("apply a saved plan", 0, &["apply", "p.tfplan"]);
    assert!(
        applied.output.contains("message = \"v2\""),
        "{}",
        applied.output
    );
    assert!(session.serial().await > before);

    let again = session.project.exits(1, &["apply", "p.tfplan"]);
    assert!(again.output.contains("already"), "{}", again.output);
}

/// A plan that another apply has overtaken can't be applied any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_saved_plan_is_refused() {
    let session = Session::applied(Backend::Cloud).await;
    session
        .project
        .ok(&["plan", "-out=p.tfplan", "-var=message=v2"]);
    session
        .project
        .ok(&["apply", "-auto-approve", "-var=message=v3"]);
    let before = session.serial().await;
    session.project.exits(1, &["apply", "p.tfplan"]);
    assert_eq!(session.serial().await, before);
    assert_eq!(session.project.ok(&["output", "-raw", "message"]), "v3");
}

#[tokio::test(flavor = "multi_thread")]
async fn backend_remote_has_no_saved_plans() {
    let session = Session::applied(Backend::Remote).await;
    let refused = session.project.exits(1, &["plan", "-out=p.tfplan"]);
    assert!(
        refused
            .output
            .contains("Saving a generated plan is currently not supported")
    );
    session.project.exits(1, &["plan", "-var=message=v2"]);
}

/// Which value of a variable wins: workspace over auto.tfvars over terraform.tfvars; the command
/// line over all of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_value_of_a_variable_wins() {
    let session = Session::applied(Backend::Cloud).await;
    let message = || session.project.ok(&["output", "-raw", "message"]);
    let apply = |arguments: &[&str]| {
        session
            .project
            .ok(&[&["apply", "-auto-approve"], arguments].concat());
        message()
    };
    session
        .project
        .write("terraform.tfvars", "message = \"tfvars\"\n");
    assert_eq!(apply(&[]), "tfvars");
    session
        .project
        .write("x.auto.tfvars", "message = \"auto\"\n");
    assert_eq!(apply(&[]), "auto");
    let workspace = session.workspace_id().await;
    let variable = |value: &str, hcl: bool| {
        serde_json::json!({"data": {"type": "vars", "attributes": {
            "key": "message", "value": value, "category": "terraform", "hcl": hcl, "sensitive": false}}})
    };
    let path = format!("workspaces/{workspace}/vars");
    let id = session
        .api
        .post(&path, variable("workspace", false))
        .await
        .expect(201)
        .id();
    assert_eq!(apply(&[]), "workspace");
    assert_eq!(apply(&["-var=message=command line"]), "command line");
    let hcl = variable("join(\"-\", [\"a\", \"b\"])", true);
    session
        .api
        .patch(&format!("{path}/{id}"), hcl)
        .await
        .expect(200);
    let refused = session.project.exits(1, &["apply", "-auto-approve"]);
    assert!(
        refused.output.contains("Function calls not allowed"),
        "{}",
        refused.output
    );
    let literal = variable("\"x${1 + 1}\"", true);
    session
        .api
        .patch(&format!("{path}/{id}"), literal)
        .await
        .expect(200);
    assert_eq!(apply(&[]), "x2");
}
