//! The commands that work on the state itself, in both backends.

use tests::Backend;

use crate::common::Session;

async fn commands(backend: Backend) {
    let session = Session::applied(backend).await;
    let mut serial = session.serial().await;

    let output = session.run("output", 0, &["output"]);
    assert!(
        output.output.contains("key = <sensitive>"),
        "{}",
        output.output
    );
    let json = session.project.ok(&["output", "-json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["key"]["value"], "hunter2-hunter2");
    assert_eq!(json["message"]["type"], "string");

    session.run("read the state", 0, &["state", "list"]);
    let shown = session.run("read the state", 0, &["state", "show", "terraform_data.a"]);
    assert!(shown.output.contains("\"v1\""), "{}", shown.output);
    let pulled = session.run("read the state", 0, &["state", "pull"]).stdout;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&pulled).unwrap()["serial"],
        serial
    );
    session.run("no calls", 0, &["validate"]);

    let mut wrote = |what: &str, now: i64| {
        assert_eq!(now, serial + 1, "{what} writes one state");
        serial = now;
    };
    session.run(
        "change the state",
        0,
        &["state", "mv", "terraform_data.a", "terraform_data.moved"],
    );
    wrote("mv", session.serial().await);
    assert_eq!(
        session.state_list(),
        ["terraform_data.b", "terraform_data.moved"]
    );
    session.run(
        "change the state",
        0,
        &["state", "rm", "terraform_data.moved"],
    );
    wrote("rm", session.serial().await);
    session.run("import", 0, &["import", "terraform_data.a", "some-id"]);
    wrote("import", session.serial().await);
    session.run("taint", 0, &["taint", "terraform_data.a"]);
    wrote("taint", session.serial().await);
    session.run("taint", 0, &["untaint", "terraform_data.a"]);
    wrote("untaint", session.serial().await);

    push(&session, backend, &pulled).await;
    console(&session);
    force_unlock(&session).await;
}

/// An older serial and a foreign lineage are refused, unless forced.
async fn push(session: &Session, backend: Backend, old: &str) {
    let before = session.serial().await;
    session.project.write("old.json", old);
    let refused = session.run("push, refused", 1, &["state", "push", "old.json"]);
    assert!(refused.output.contains("serial"), "{}", refused.output);
    let mut foreign: serde_json::Value = serde_json::from_str(old).unwrap();
    foreign["lineage"] = "another".into();
    foreign["serial"] = 900.into();
    session.project.write("foreign.json", &foreign.to_string());
    let refused = session.run("push, refused", 1, &["state", "push", "foreign.json"]);
    assert!(refused.output.contains("lineage"), "{}", refused.output);
    assert_eq!(session.serial().await, before);

    let mut newer: serde_json::Value =
        serde_json::from_str(&session.project.ok(&["state", "pull"])).unwrap();
    newer["serial"] = (before + 5).into();
    session.project.write("newer.json", &newer.to_string());
    session.run("push", 0, &["state", "push", "newer.json"]);
    // The CLI counts one up from the serial of the file, as with every state that it persists.
    assert_eq!(session.serial().await, before + 6);
    push_forced(session, backend).await;
    assert_eq!(
        session.state_list(),
        ["terraform_data.a", "terraform_data.b"]
    );
}

/// `remote` hands `-force` on to the server. `cloud` of terraform 1.11 forgets it: the request
/// says `"force": false`, is refused as any older state, and the CLI leaves its lock behind.
async fn push_forced(session: &Session, backend: Backend) {
    let forced = ["state", "push", "-force", "old.json"];
    if backend == Backend::Remote {
        session.run("push", 0, &forced);
        return;
    }
    let before = session.serial().await;
    let refused = session.project.exits(1, &forced);
    assert!(refused.output.contains("older"), "{}", refused.output);
    assert_eq!(session.serial().await, before);
    session.unlock_by_force();
    // Under a serial of its own it goes in.
    let mut old: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(session.project.path().join("old.json")).unwrap(),
    )
    .unwrap();
    old["serial"] = (before + 1).into();
    session.project.write("old.json", &old.to_string());
    session.run("push", 0, &forced);
}

fn console(session: &Session) {
    session.recorder.take();
    let ran = session
        .project
        .run_with_input(&["console"], "terraform_data.b.output\n");
    assert_eq!(
        (ran.code, ran.stdout.trim()),
        (0, "\"net-dev\""),
        "{}",
        ran.output
    );
    session.check("console");
}

async fn force_unlock(session: &Session) {
    let workspace = session.workspace_id().await;
    let lock = serde_json::json!({"reason": "maintenance"});
    session
        .api
        .post(&format!("workspaces/{workspace}/actions/lock"), lock)
        .await
        .expect(200);
    let locked = session.project.exits(1, &["taint", "terraform_data.a"]);
    assert!(locked.output.contains("locked"), "{}", locked.output);
    session.unlock_by_force();
    session.run("taint", 0, &["taint", "terraform_data.a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud() {
    commands(Backend::Cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn remote() {
    commands(Backend::Remote).await;
}

/// With execution mode `local` the CLI plans and applies by itself and keeps its state here.
#[tokio::test(flavor = "multi_thread")]
async fn local_execution_keeps_only_the_state_here() {
    let session = Session::start(Backend::Cloud).await;
    session.project.ok(&["init"]);
    let workspace = session.workspace_id().await;
    let local = serde_json::json!({"data": {"type": "workspaces", "attributes": {"execution-mode": "local"}}});
    session
        .api
        .patch(&format!("workspaces/{workspace}"), local)
        .await
        .expect(200);
    session.project.ok(&["apply", "-auto-approve"]);
    assert!(session.serial().await > 0);
    let runs = session
        .api
        .get(&format!("workspaces/{workspace}/runs"))
        .await
        .expect(200);
    assert_eq!(runs.json["data"].as_array().map(Vec::len), Some(0));
    assert_eq!(
        session.state_list(),
        ["terraform_data.a", "terraform_data.b"]
    );
}

/// Another workspace's configuration reads this one's outputs, once sharing is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_read_by_another_workspace_only_when_shared() {
    let session = Session::applied(Backend::Cloud).await;
    let consumer = tests::Project::new(&session.dev);
    let (host, organization) = (session.dev.host(), &session.dev.facts.environment);
    consumer.backend(Backend::Cloud, "consumer").write(
        "main.tf",
        &format!(
            "data \"terraform_remote_state\" \"net\" {{\n  backend = \"remote\"\n  config = {{\n    hostname = \"{host}\"\n    organization = \"{organization}\"\n    workspaces = {{ name = \"net-dev\" }}\n  }}\n}}\noutput \"message\" {{ value = data.terraform_remote_state.net.outputs.message }}\n"
        ),
    );
    consumer.ok(&["init"]);
    consumer.exits(1, &["apply", "-auto-approve"]);
    let workspace = session.workspace_id().await;
    let share = serde_json::json!({"data": {"type": "workspaces", "attributes": {"global-remote-state": true}}});
    session
        .api
        .patch(&format!("workspaces/{workspace}"), share)
        .await
        .expect(200);
    consumer.ok(&["apply", "-auto-approve"]);
    assert_eq!(consumer.ok(&["output", "-raw", "message"]), "v1");
}
