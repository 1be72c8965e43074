//! A state that grew up on a laptop moves in.

use tests::Backend;

use crate::common::Session;

async fn moves_in(backend: Backend) {
    let session = Session::start(backend).await;
    let block = std::fs::read_to_string(session.project.path().join("backend.tf")).unwrap();
    std::fs::remove_file(session.project.path().join("backend.tf")).unwrap();
    session.project.ok(&["init"]);
    session.project.ok(&["apply", "-auto-approve"]);
    let local = session.project.ok(&["state", "pull"]);
    let local: serde_json::Value = serde_json::from_str(&local).unwrap();

    session.project.write("backend.tf", &block);
    // `cloud` asks by itself; the flag is for backends only.
    let init: &[&str] = if backend == Backend::Cloud {
        &["init"]
    } else {
        &["init", "-migrate-state"]
    };
    session.project.answer(init, &[("Enter a value:", "yes")]);
    let state = session.api.state(&session.workspace_id().await).await;
    // Terraform 1.11 gives a state that moves in a lineage of its own.
    assert_eq!(state["resources"], local["resources"]);
    assert_eq!(
        session.state_list(),
        ["terraform_data.a", "terraform_data.b"]
    );
    session.project.ok(&["apply", "-auto-approve"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_cloud() {
    moves_in(Backend::Cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_remote() {
    moves_in(Backend::Remote).await;
}
