//! The operator's limits on an account, given while it is at work.

use serde_json::json;
use testkit::FakeCloud;
use tests::{Answer, Dev, terrane, wait};

use crate::faults::objects;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_at_the_operators_limit_waits_until_it_is_lifted() {
    let dev = Dev::start();
    let limit = |limit: &str| {
        let data = dev.facts.data_dir.to_str().unwrap();
        let output = terrane(&["admin", "--data-dir", data, "limit-runs", limit], &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let said = limit("1");
    assert!(said.contains("at most 1 runs at work"), "{said}");

    let cloud = FakeCloud::start();
    // Longer than the test waits for anything.
    let endless = objects(&cloud.endpoint(), 1, 3_600_000, 0);
    let first = start(&dev, "first", &endless).await;
    dev.api().run_status(&first, &["applying"]).await;
    let second = start(&dev, "second", "output \"a\" { value = 1 }\n").await;
    let api = dev.api();
    let path = format!("runs/{second}");
    let full = |it: &Answer| it.attribute("wait-reason")["code"] == "account-limit";
    let waits = wait::until_it("the second waits", || api.get(&path), full).await;
    let detail = waits.attribute("wait-reason")["detail"].as_str().unwrap();
    assert!(detail.starts_with("account limit 1 of 1"), "{detail}");

    limit("none");
    api.run_status(&second, &["applied"]).await;
    let first = api.get(&format!("runs/{first}")).await.expect(200);
    assert_eq!(first.attribute("status"), "applying");
}

async fn start(dev: &Dev, workspace: &str, configuration: &str) -> String {
    let api = dev.api();
    let settings = json!({"name": workspace, "auto-apply": true});
    let id = api
        .create_workspace(&dev.facts.environment, settings)
        .await
        .expect(201)
        .id();
    let files = [("main.tf", configuration)];
    let unqueued = json!({"auto-queue-runs": false});
    let version = api.upload(&id, &files, unqueued).await;
    api.run(&id, &version, json!({"auto-apply": true})).await
}
