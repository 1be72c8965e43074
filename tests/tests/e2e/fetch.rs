//! Configurations that come from git, fetched by the runner and pinned to a commit.

use serde_json::json;
use testkit::GitServer;
use tests::Dev;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_made_from_a_commit() {
    let dev = Dev::start();
    let api = dev.api();
    let git = GitServer::start("bot", "git-secret-token").await;
    let commit = git.create(
        "infra",
        &[("main.tf", "output \"x\" { value = \"from git\" }\n")],
    );
    let settings = json!({
        "name": "from-git",
        "auto-apply": true,
        "git": {
            "url": git.url("infra"), "reference": commit,
            "username": "bot", "token": "git-secret-token", "ca-pem": git.ca_pem(),
        },
    });
    let workspace = api
        .create_workspace(&dev.facts.environment, settings)
        .await
        .expect(201);
    assert!(!String::from_utf8_lossy(&workspace.bytes).contains("git-secret-token"));
    let workspace = workspace.id();
    let body = json!({"data": {"type": "runs", "attributes": {"auto-apply": true}, "relationships": {
        "workspace": {"data": {"type": "workspaces", "id": workspace}}}}});
    let run = api.post("runs", body).await.expect(201).id();
    // The branch moves on; the run stays with its commit.
    git.commit(
        "infra",
        &[("main.tf", "output \"x\" { value = \"later\" }\n")],
        "later",
    );
    let ended = api
        .run_status(&run, &["applied", "planned_and_finished", "errored"])
        .await;
    assert_eq!(ended.attribute("status"), "applied", "{:?}", ended.json);
    let version = ended.json["data"]["relationships"]["configuration-version"]["data"]["id"]
        .as_str()
        .unwrap();
    let version = api
        .get(&format!(
            "configuration-versions/{version}?include=ingress_attributes"
        ))
        .await
        .expect(200);
    let text = String::from_utf8_lossy(&version.bytes).into_owned();
    assert!(text.contains(&commit), "{text}");
}
