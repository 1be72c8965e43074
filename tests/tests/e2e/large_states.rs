//! States of over 3 MB, killed at random moments: never empty, never torn, never behind the journal.
//!
//! Thousands of resources make the window wide: the local backend truncates its file, encodes
//! for a while, then writes. The state is made up here and pushed, as growing it would take minutes.

use serde_json::{Value, json};
use testkit::FakeCloud;
use tests::wait;

use crate::cli_cancel::recorded_ids;
use crate::faults::{Stage, objects};
use crate::flavour::Flavour;

const BULK: usize = 2000;
const LINEAGE: &str = "5f0c7d3e-0000-4000-8000-7e57ab1e57a7";

fn bulk_input(index: usize) -> String {
    format!("{index:0>700}")
}

/// The bulk, and `count` objects that are slow in the making.
fn configuration(endpoint: &str, count: u32) -> String {
    format!(
        "{}\nresource \"terraform_data\" \"bulk\" {{\n  count = {BULK}\n  input = format(\"%0700d\", count.index)\n}}\n",
        objects(endpoint, count, 600, 0)
    )
}

/// What an apply of the bulk alone would have left.
fn bulk_state() -> Vec<u8> {
    let instances: Vec<Value> = (0..BULK)
        .map(|index| {
            let value = json!({"value": bulk_input(index), "type": "string"});
            json!({"index_key": index, "schema_version": 0, "sensitive_attributes": [], "attributes": {
                "id": format!("00000000-0000-0000-0000-{index:012}"),
                "input": value, "output": value, "triggers_replace": null}})
        })
        .collect();
    let state = json!({"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": LINEAGE,
        "outputs": {}, "check_results": null, "resources": [
            {"mode": "managed", "type": "terraform_data", "name": "bulk",
             "provider": "provider[\"terraform.io/builtin/terraform\"]", "instances": instances}]});
    let bytes = serde_json::to_vec_pretty(&state).unwrap();
    assert!(
        bytes.len() > 3_000_000,
        "the state has only {} bytes",
        bytes.len()
    );
    bytes
}

/// A dozen in CI, more on demand.
#[expect(
    clippy::disallowed_methods,
    reason = "lets a person ask for more tries"
)]
fn tries() -> usize {
    std::env::var("TERRANE_KILL_TRIES")
        .ok()
        .and_then(|it| it.parse().ok())
        .unwrap_or(12)
}

async fn killed_at_random(mode: &str) {
    let Some(mut stage) = Stage::set(Flavour::Embedded).await else {
        return;
    };
    let settings = json!({"data": {"type": "workspaces", "attributes": {"state-mode": mode}}});
    let path = format!("workspaces/{}", stage.workspace);
    stage.api.patch(&path, settings).await.expect(200);
    stage
        .api
        .push_state(&stage.workspace, &bulk_state(), 1, LINEAGE)
        .await;
    let mut recorded = 0;
    for attempt in 0..tries() {
        let serial = stage.api.serial(&stage.workspace).await.unwrap();
        let count = u32::try_from(recorded + 100).unwrap();
        let run = stage
            .apply_without_refresh(&configuration(&stage.endpoint, count))
            .await;
        let before = stage.cloud.ids("sandbox_object");
        stage.mid_apply(&run, before.len() + 5 + attempt % 9).await;
        stage.runner.power_cut();
        stage.runner.restart();
        stage.resolved(&run).await;
        assert!(stage.api.serial(&stage.workspace).await.unwrap() >= serial);
        let ids = recorded_ids(&stage.api.state(&stage.workspace).await);
        recorded = ids.iter().filter(|id| id.starts_with("obj-")).count();
        assert_eq!(
            ids.len() - recorded,
            BULK,
            "{mode}: what was there is still there"
        );
        // Ten at a time are in flight: the provider may have finished those, terraform never said so.
        let mut lost = stage.lost(&run).await;
        // What earlier runs left behind was reported with them.
        lost.retain(|id| !before.contains(id));
        assert!(
            lost.len() <= 10,
            "{mode}: {} neither recorded nor reported",
            lost.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn survive_kills_in_local_mode() {
    killed_at_random("local").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn survive_kills_in_http_mode() {
    killed_at_random("http").await;
}

/// The measure of the two tests above: without Terrane the same kills do tear the state.
#[test]
fn bare_terraform_loses_them_in_the_same_kills() {
    let cloud = FakeCloud::start();
    let mirror = testkit::programs::provider_mirror();
    let directory = tempfile::tempdir().unwrap();
    let cli = directory.path().join("cli.tfrc");
    std::fs::write(&cli, workshop::provider::cli_configuration(&mirror)).unwrap();
    let terraform = |arguments: &[&str]| {
        let mut command = std::process::Command::new(testkit::programs::terraform());
        command
            .args(arguments)
            .current_dir(directory.path())
            .env("TF_CLI_CONFIG_FILE", &cli);
        command
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command
    };
    std::fs::write(
        directory.path().join("main.tf"),
        configuration(&cloud.endpoint(), 100),
    )
    .unwrap();
    assert!(terraform(&["init"]).status().unwrap().success());
    let state = directory.path().join("terraform.tfstate");
    let (mut broken, tries) = (0, tries());
    for attempt in 0..tries {
        std::fs::write(&state, bulk_state()).unwrap();
        let before = cloud.ids("sandbox_object").len();
        let mut apply = terraform(&["apply", "-auto-approve", "-refresh=false"])
            .spawn()
            .unwrap();
        wait::blocking("it is under way", || {
            cloud.ids("sandbox_object").len() >= before + 5 + attempt % 9
        });
        apply.kill().unwrap();
        apply.wait().unwrap();
        // The provider outlives its terraform.
        tests::kill_all_below(directory.path());
        let left = std::fs::read(&state).unwrap();
        broken += usize::from(serde_json::from_slice::<Value>(&left).is_err());
    }
    eprintln!("bare terraform: {broken} of {tries} states were empty or torn");
    assert!(
        broken * 6 >= tries,
        "{broken} of {tries}: the kills hardly hit the window"
    );
}
