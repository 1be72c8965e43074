//! What doesn't belong: each gets the status and text of the contract and changes nothing.

use serde_json::{Value, json};
use tests::{Api, Dev};

struct Stage {
    api: Api,
    environment: String,
    workspace: String,
    _dev: Dev,
}

async fn stage() -> Stage {
    let dev = Dev::start();
    let api = dev.api();
    let environment = dev.facts.environment.clone();
    let workspace = api
        .create_workspace(&environment, json!({"name": "w"}))
        .await
        .expect(201)
        .id();
    Stage {
        api,
        environment,
        workspace,
        _dev: dev,
    }
}

fn state(serial: u64, lineage: &str) -> Vec<u8> {
    json!({"version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": lineage,
        "outputs": {}, "resources": [], "check_results": null})
    .to_string()
    .into_bytes()
}

fn state_version(bytes: &[u8], serial: u64, lineage: &str) -> Value {
    use base64::Engine;
    use md5::{Digest, Md5};
    let md5 = hex::encode(Md5::digest(bytes));
    let state = base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({"data": {"type": "state-versions", "attributes": {
        "serial": serial, "lineage": lineage, "md5": md5, "state": state}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn states_that_don_t_fit_are_refused() {
    let stage = stage().await;
    let path = format!("workspaces/{}/state-versions", stage.workspace);
    let push = async |serial: u64, lineage: &str| {
        let bytes = state(serial, lineage);
        stage
            .api
            .post(&path, state_version(&bytes, serial, lineage))
            .await
    };
    assert_eq!(
        push(1, "a").await.status,
        409,
        "an unlocked workspace takes no state"
    );
    let lock = format!("workspaces/{}/actions/lock", stage.workspace);
    stage
        .api
        .post(&lock, json!({"reason": "test"}))
        .await
        .expect(200);
    stage.api.post(&lock, json!({})).await.expect(409);
    push(5, "a").await.expect(201);
    push(5, "a").await.expect(201);
    push(4, "a").await.expect(409);
    push(6, "b").await.expect(409);
    let mut other = state_version(&state(6, "a"), 6, "a");
    other["data"]["attributes"]["md5"] = json!("00000000000000000000000000000000");
    let refused = stage.api.post(&path, other).await;
    assert!(
        refused.status == 409 || refused.status == 422,
        "{refused:?}"
    );
    assert_eq!(stage.api.serial(&stage.workspace).await, Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_uploads_never_become_a_run() {
    let stage = stage().await;
    let archives: [(&str, Vec<u8>); 3] = [
        ("garbage", b"this is no archive".to_vec()),
        (
            "climbing",
            hostile(|tar| entry(tar, "../../escape.tf", tar::EntryType::Regular, None)),
        ),
        (
            "linking",
            hostile(|tar| entry(tar, "out", tar::EntryType::Symlink, Some("/etc"))),
        ),
    ];
    for (name, bytes) in archives {
        let body = json!({"data": {"type": "configuration-versions", "attributes": {"auto-queue-runs": false}}});
        let path = format!("workspaces/{}/configuration-versions", stage.workspace);
        let version = stage.api.post(&path, body).await.expect(201);
        let url = version.attribute("upload-url").as_str().unwrap().to_owned();
        let uploaded = stage.api.put(&url, bytes).await;
        if uploaded.status < 300 {
            let status = stage
                .api
                .get(&format!("configuration-versions/{}", version.id()))
                .await;
            if status.attribute("status") == "uploaded" {
                let run = stage
                    .api
                    .run(&stage.workspace, &version.id(), json!({}))
                    .await;
                let ended = stage
                    .api
                    .run_status(&run, &["errored", "planned_and_finished"])
                    .await;
                assert_eq!(ended.attribute("status"), "errored", "{name}");
            }
        } else {
            assert!(
                (400..500).contains(&uploaded.status),
                "{name}: {uploaded:?}"
            );
        }
        let again = stage.api.put(&url, b"x".to_vec()).await;
        assert!(
            uploaded.status >= 300 || again.status >= 400,
            "{name} was taken twice"
        );
    }
}

fn hostile(add: impl FnOnce(&mut tar::Builder<flate2::write::GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    add(&mut tar);
    tar.into_inner().unwrap().finish().unwrap()
}

fn entry(
    tar: &mut tar::Builder<flate2::write::GzEncoder<Vec<u8>>>,
    name: &str,
    kind: tar::EntryType,
    link: Option<&str>,
) {
    let mut header = tar::Header::new_gnu();
    // The library refuses such names, so the bytes are put in by hand.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_things_are_404_and_wrong_ones_422() {
    let stage = stage().await;
    for path in [
        "runs/nonexisting",
        "runs/run-0000000000000000",
        "workspaces/nonexisting",
        "plans/nonexisting",
        "applies/nonexisting",
        "state-versions/nonexisting",
        "configuration-versions/nonexisting",
        "organizations/nonexisting",
        "organizations/nonexisting/workspaces",
        "no-such-route",
    ] {
        let answer = stage.api.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.json["errors"][0]["status"], "404",
            "{path}: {answer:?}"
        );
    }
    let path = format!("organizations/{}/workspaces", stage.environment);
    for (body, status) in [
        (
            json!({"data": {"type": "workspaces", "attributes": {"name": "w"}}}),
            422,
        ),
        (
            json!({"data": {"type": "workspaces", "attributes": {"name": "with space"}}}),
            422,
        ),
        (
            json!({"data": {"type": "workspaces", "attributes": {"name": 5}}}),
            422,
        ),
        (
            json!({"data": {"type": "runs", "attributes": {"name": "x"}}}),
            422,
        ),
    ] {
        let answer = stage.api.post(&path, body.clone()).await;
        assert!(
            answer.status == status || answer.status == 400,
            "{body}: {answer:?}"
        );
        assert!(answer.json["errors"][0]["detail"].is_string(), "{answer:?}");
    }
    let run = stage
        .api
        .post("runs", json!({"data": {"type": "runs", "attributes": {}}}))
        .await;
    assert_eq!(run.status, 422, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_there_is_nothing() {
    let stage = stage().await;
    let workspace = format!("workspaces/{}", stage.workspace);
    for token in [
        "",
        "nonsense",
        "trn_user_0000000000000000000000000000_000000",
    ] {
        let stranger = stage.api.with_token(token);
        assert_eq!(stranger.get(&workspace).await.status, 401, "{token:?}");
        assert_eq!(
            stranger.get("account/details").await.status,
            401,
            "{token:?}"
        );
        assert_eq!(
            stranger.post("runs", json!({})).await.status,
            401,
            "{token:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_at_the_wrong_time_are_conflicts() {
    let stage = stage().await;
    let files = [("main.tf", "output \"x\" { value = 1 }\n")];
    let version = stage
        .api
        .upload(&stage.workspace, &files, json!({"auto-queue-runs": false}))
        .await;
    let run = stage.api.run(&stage.workspace, &version, json!({})).await;
    stage.api.run_status(&run, &["cost_estimated"]).await;
    let act = |action: &str| {
        let path = format!("runs/{run}/actions/{action}");
        let api = stage.api.clone();
        async move { api.post(&path, json!({})).await.status }
    };
    assert_eq!(act("cancel").await, 409);
    assert_eq!(act("force-cancel").await, 409);
    assert_eq!(act("discard").await, 202);
    assert_eq!(act("discard").await, 409);
    assert_eq!(act("apply").await, 409);
}
