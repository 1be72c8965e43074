//! Ctrl-C, in each phase and both backends.

use testkit::Recorded;
use tests::{Backend, Options};

use crate::common::Session;

/// A session without a runner: its runs stay queued.
async fn waiting(backend: Backend) -> Session {
    let options = Options {
        runners: 0,
        arguments: vec!["--no-runner".into()],
        ..Options::default()
    };
    let session = Session::start_with(backend, options).await;
    session.project.ok(&["init"]);
    session.recorder.take();
    session
}

async fn newest_status(session: &Session) -> String {
    let workspace = session.workspace_id().await;
    let runs = session
        .api
        .get(&format!("workspaces/{workspace}/runs"))
        .await
        .expect(200);
    runs.json["data"][0]["attributes"]["status"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn reads_a_run(request: &Recorded) -> bool {
    let run = request.path.strip_prefix("/api/v2/runs/");
    request.method == "GET" && run.is_some_and(|rest| !rest.contains(['/', '?']))
}

/// Interrupts a command whose run is queued, and answers the question that follows.
async fn cancels_a_queued_run(backend: Backend, command: &str, section: &str) {
    let session = waiting(backend).await;
    let mut terminal = session.project.terminal(&[command]);
    // Interrupted any earlier, while it makes the run, the CLI ends without a question.
    tests::wait::until("the CLI follows its run", async || {
        session.recorder.has(reads_a_run).then_some(())
    })
    .await;
    terminal.expect_any(&["Waiting for", "Preparing the remote"]);
    terminal
        .interrupt()
        .expect("Do you want to cancel")
        .type_line("yes");
    let (_, transcript) = terminal.finish();
    assert!(transcript.contains("cancel"), "{transcript}");
    assert_eq!(newest_status(&session).await, "canceled");
    session.check(section);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_apply_of_cloud() {
    cancels_a_queued_run(Backend::Cloud, "apply", "apply, cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_apply_of_remote() {
    cancels_a_queued_run(Backend::Remote, "apply", "apply, cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_plan_of_remote() {
    cancels_a_queued_run(Backend::Remote, "plan", "plan, cancelled").await;
}

/// While an apply runs: one SIGINT reaches terraform, what is in flight is finished and recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_apply_ends_with_everything_recorded() {
    let session = Session::start(Backend::Cloud).await;
    let cloud = testkit::FakeCloud::start();
    session.project.write(
        "main.tf",
        &format!(
            "terraform {{\n  required_providers {{\n    sandbox = {{ source = \"sandbox.test/demo/sandbox\" }}\n  }}\n}}\n\
             provider \"sandbox\" {{ endpoint = \"{}\" }}\n\
             resource \"sandbox_object\" \"a\" {{\n  count = 60\n  name = \"a-${{count.index}}\"\n  delay_ms = 2000\n}}\n",
            cloud.endpoint()
        ),
    );
    session.project.ok(&["init"]);
    let mut terminal = session.project.terminal(&["apply"]);
    terminal.expect("Enter a value:").type_line("yes");
    terminal.expect("Creation complete");
    terminal
        .interrupt()
        .expect("Do you want to cancel")
        .type_line("yes");
    terminal.finish();
    let workspace = session.workspace_id().await;
    let runs = session
        .api
        .get(&format!("workspaces/{workspace}/runs"))
        .await
        .expect(200);
    let run = runs.json["data"][0]["id"].as_str().unwrap().to_owned();
    let ended = session
        .api
        .run_status(&run, &["canceled", "errored", "applied"])
        .await;
    assert_eq!(ended.attribute("status"), "canceled");

    let made = cloud.ids("sandbox_object");
    assert!(
        !made.is_empty() && made.len() < 60,
        "{} were made",
        made.len()
    );
    let state = session.api.state(&workspace).await;
    assert_eq!(
        recorded_ids(&state),
        made,
        "everything that was made is recorded"
    );
    let locked = session
        .api
        .get(&format!("workspaces/{workspace}"))
        .await
        .expect(200);
    assert_eq!(locked.attribute("locked"), false);
}

/// The attribute `id` of every instance, in order.
pub(crate) fn recorded_ids(state: &serde_json::Value) -> Vec<String> {
    let resources = state["resources"].as_array().unwrap().iter();
    let instances = resources.flat_map(|it| it["instances"].as_array().unwrap());
    let mut ids: Vec<String> = instances
        .filter_map(|it| it["attributes"]["id"].as_str().map(str::to_owned))
        .collect();
    ids.sort();
    ids
}
