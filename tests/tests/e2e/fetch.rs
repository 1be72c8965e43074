//! Configurations that come from git, fetched by the runner and pinned to a commit.

use serde_json::{Value, json};
use testkit::GitServer;
use tests::{Answer, Api, Dev, Options, Runner, wait};

use crate::impact::impact;

const TOKEN: &str = "git-secret-token";

fn source(git: &GitServer, reference: &str) -> Value {
    json!({
        "url": git.url("infra"), "reference": reference,
        "username": "bot", "token": TOKEN, "ca-pem": git.ca_pem(),
    })
}

/// A server with one repository, and its only commit.
async fn server() -> (GitServer, String) {
    let git = GitServer::start("bot", TOKEN).await;
    let files = [("main.tf", "output \"x\" { value = \"from git\" }\n")];
    let commit = git.create("infra", &files);
    (git, commit)
}

/// A run of a new workspace with this source.
async fn run(dev: &Dev, api: &Api, name: &str, source: Value) -> String {
    let settings = json!({ "name": name, "auto-apply": true, "git": source });
    let workspace = api
        .create_workspace(&dev.facts.environment, settings)
        .await
        .expect(201);
    assert!(!String::from_utf8_lossy(&workspace.bytes).contains(TOKEN));
    let body = json!({"data": {"type": "runs", "attributes": {"auto-apply": true}, "relationships": {
        "workspace": {"data": {"type": "workspaces", "id": workspace.id()}}}}});
    api.post("runs", body).await.expect(201).id()
}

async fn version_of(api: &Api, run: &Answer) -> Answer {
    let version = run.json["data"]["relationships"]["configuration-version"]["data"]["id"]
        .as_str()
        .unwrap();
    let path = format!("configuration-versions/{version}?include=ingress_attributes");
    api.get(&path).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_made_from_a_commit() {
    let dev = Dev::start();
    let api = dev.api();
    let (git, commit) = server().await;
    let run = run(&dev, &api, "from-git", source(&git, &commit)).await;
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
    let version = version_of(&api, &ended).await;
    let text = String::from_utf8_lossy(&version.bytes).into_owned();
    assert!(text.contains(&commit), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_can_not_be_fetched_says_why() {
    let dev = Dev::start();
    let api = dev.api();
    let (git, _) = server().await;
    let mut wrong_token = source(&git, "main");
    wrong_token["token"] = "git-wrong-token".into();
    for (name, source, said) in [
        ("wrong-token", wrong_token, "refuses the credentials"),
        (
            "no-branch",
            source(&git, "gone"),
            "no branch, tag or commit \"gone\"",
        ),
    ] {
        let run = run(&dev, &api, name, source).await;
        let ended = api.run_status(&run, &["applied", "errored"]).await;
        assert_eq!(ended.attribute("status"), "errored", "{name}");
        let version = version_of(&api, &ended).await;
        let text = String::from_utf8_lossy(&version.bytes).into_owned();
        let shown = version.attribute("error-message").as_str().unwrap();
        assert!(shown.contains(said), "{name}: {shown}");
        assert!(!text.contains("git-wrong-token"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_whose_runner_is_lost_is_done_by_another() {
    let options = Options {
        runners: 0,
        ..Options::default()
    };
    let dev = Dev::start_with(options);
    let api = dev.api();
    let (git, _) = server().await;
    let mut first = Runner::start(&dev, "one");
    git.hold();
    let run = run(&dev, &api, "lost", source(&git, "main")).await;
    wait::until("the first runner asks", || async {
        git.requests()
            .iter()
            .any(|line| line.ends_with("held"))
            .then_some(())
    })
    .await;
    first.power_cut();
    git.go_on();
    let _second = Runner::start(&dev, "two");
    let ended = api.run_status(&run, &["applied", "errored"]).await;
    assert_eq!(ended.attribute("status"), "applied", "{:?}", ended.json);
}

/// A policy group's files come by the same kind of job, for no run.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_group_follows_its_repository() {
    const MANIFEST: &str =
        "policy \"limit\" {\n  enabled = true\n  enforcement_level = \"hard-mandatory\"\n}\n";
    const GOOD: &str =
        "package terraform\n\nimport rego.v1\n\ndeny contains \"no\" if input.never\n";
    let dev = Dev::start();
    let api = dev.api();
    let git = GitServer::start("bot", TOKEN).await;
    let files = [("terrane-policy.hcl", MANIFEST), ("limit.rego", GOOD)];
    let first = git.create("infra", &files);
    let group = async |id: &str, status: &'static str| {
        let path = format!("policy-groups/{id}");
        let reached = |it: &Answer| it.attribute("status") == status;
        wait::until_it("the group is checked", || api.get(&path), reached).await
    };
    let body = |source: Value| {
        json!({"data": {"type": "policy-groups", "attributes": {
            "name": "from-git", "git": source}}})
    };
    let mut wrong = source(&git, "main");
    wrong["token"] = "git-wrong-token".into();
    let made = api.post("policy-groups", body(wrong)).await.expect(201);
    assert!(!String::from_utf8_lossy(&made.bytes).contains("git-wrong-token"));
    let id = made.id();
    let refused = group(&id, "errored").await;
    let said = refused.attribute("error-message").as_str().unwrap();
    assert!(said.contains("refuses the credentials"), "{said}");

    // The right token brings the files.
    let path = format!("policy-groups/{id}");
    let change = json!({"data": {"type": "policy-groups", "attributes": {
        "git": source(&git, "main")}}});
    api.patch(&path, change).await.expect(200);
    let active = group(&id, "active").await;
    let in_force = |it: &Answer| {
        it.json["data"]["relationships"]["revision-in-force"]["data"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let good = in_force(&active);
    let revision = api
        .get(&format!("policy-revisions/{good}"))
        .await
        .expect(200);
    assert_eq!(revision.attribute("commit")["sha"], first);

    // A push that can't be read keeps the last good one; the next one that can takes its place.
    git.commit("infra", &[("terrane-policy.hcl", "policy {")], "broken");
    let resync = format!("policy-groups/{id}/actions/resync");
    api.post(&resync, json!({})).await.expect(200);
    assert_eq!(in_force(&group(&id, "errored").await), good);
    let third = git.commit("infra", &files, "mended");
    api.post(&resync, json!({})).await.expect(200);
    let mended = in_force(&group(&id, "active").await);
    assert_ne!(mended, good);
    let revision = api
        .get(&format!("policy-revisions/{mended}"))
        .await
        .expect(200);
    assert_eq!(revision.attribute("commit")["sha"], third);

    // A branch is asked about before it is merged; what is in force stays.
    const STRICT: &str = "package terraform\n\nimport rego.v1\n\ndeny contains \"no\"\n";
    let branch = git.branch("infra", "strict", &[("limit.rego", STRICT)]);
    let output = impact(
        &dev,
        &["--group", &id, "--ref", "strict", "--format", "json"],
    );
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["analysis"]["status"], "finished", "{document}");
    let revisions = api.get(&format!("{path}/revisions")).await.expect(200);
    let proposed = &revisions.json["data"][0]["attributes"];
    assert_eq!(proposed["commit"]["sha"], branch, "{proposed}");
    assert_eq!(proposed["proposed"], true);
    assert_eq!(in_force(&api.get(&path).await.expect(200)), mended);
    let missing = impact(&dev, &["--group", &id, "--ref", "nowhere"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
}
