//! What runs where: databases, executors, sizes, and what a job must not reach.

use serde_json::{Value, json};
use testkit::FakeCloud;
use tests::{Api, Backend, Dev, Options, Project};

use crate::flavour::{Flavour, both_flavours};

both_flavours! {
    the_main_job,
}

/// init, plan, apply, saved plan, state push and destroy, whatever is underneath.
async fn the_main_job(flavour: Flavour) {
    let Some(around) = flavour.start().await else {
        return;
    };
    let dev = Dev::start_with(around.options);
    let project = Project::new(&dev);
    project
        .backend(Backend::Cloud, "main")
        .write("main.tf", crate::common::CONFIGURATION);
    project.ok(&["init"]);
    assert!(project.ok(&["plan"]).contains("2 to add"));
    project.ok(&["apply", "-auto-approve"]);
    assert_eq!(project.ok(&["output", "-raw", "workspace"]), "main");
    project.ok(&["plan", "-out=p.tfplan", "-var=message=v2"]);
    project.ok(&["apply", "p.tfplan"]);
    let mut state: Value = serde_json::from_str(&project.ok(&["state", "pull"])).unwrap();
    state["serial"] = json!(state["serial"].as_i64().unwrap() + 1);
    project
        .write("s.json", &state.to_string())
        .ok(&["state", "push", "s.json"]);
    project.ok(&["destroy", "-auto-approve"]);
    assert!(project.ok(&["state", "list"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_3000_resources() {
    let dev = Dev::start();
    let project = Project::new(&dev);
    project.backend(Backend::Cloud, "large").write(
        "main.tf",
        "resource \"terraform_data\" \"a\" {\n  count = 3000\n  input = \"x-${count.index}\"\n}\n",
    );
    project.ok(&["init"]);
    let text = project.ok(&["apply", "-auto-approve"]);
    assert!(
        text.contains("3000 added"),
        "{}",
        &text[text.len().saturating_sub(2000)..]
    );
    assert_eq!(project.ok(&["state", "list"]).lines().count(), 3000);
}

const PROBE: &str = include_str!("probe.sh");

/// Ways out, tried by a provisioner in an apply; each must fail.
pub(crate) async fn sandbox(executor: &'static str, script: &str, tries: usize) {
    let dev = Dev::start_with(Options {
        executor,
        ..Options::default()
    });
    let api = dev.api();
    let settings = json!({"name": "probe", "auto-apply": true});
    let workspace = api
        .create_workspace(&dev.facts.environment, settings)
        .await
        .expect(201)
        .id();
    let secret = dev.scratch().join("secret-of-the-host");
    std::fs::write(&secret, "host secret").unwrap();
    let probe = script
        .replace("@HOST_FILE@", secret.to_str().unwrap())
        .replace("@DATA_DIR@", dev.scratch().to_str().unwrap())
        .replace("@SERVER_PID@", &dev.facts.pid.to_string());
    let configuration = "resource \"terraform_data\" \"probe\" {\n  provisioner \"local-exec\" {\n    interpreter = [\"/bin/sh\"]\n    command     = \"${path.module}/probe.sh\"\n  }\n}\n";
    let log = applied(
        &api,
        &workspace,
        &[("main.tf", configuration), ("probe.sh", &probe)],
    )
    .await;
    let escapes: Vec<_> = log
        .lines()
        .filter(|line| line.contains("ESCAPED "))
        .collect();
    assert!(escapes.is_empty(), "{executor}: {escapes:#?}");
    let held: std::collections::BTreeSet<_> = log
        .split("held ")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-'))
                .next()
        })
        .collect();
    assert_eq!(held.len(), tries, "every probe ran: {held:?}\n{log}");
    assert!(tests::is_alive(dev.facts.pid));
    let log = dev.log();
    assert!(
        !log.contains("can reach the cloud's metadata address"),
        "{log}"
    );
}

async fn applied(api: &Api, workspace: &str, files: &[(&str, &str)]) -> String {
    let version = api
        .upload(workspace, files, json!({"auto-queue-runs": false}))
        .await;
    let run = api
        .run(workspace, &version, json!({"auto-apply": true}))
        .await;
    let ended = api.run_status(&run, &["applied", "errored"]).await;
    let apply = ended.json["data"]["relationships"]["apply"]["data"]["id"]
        .as_str()
        .unwrap();
    api.log(&format!("applies/{apply}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_can_t_leave_its_sandbox() {
    sandbox("process", PROBE, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_can_t_be_left() {
    if !testkit::programs::docker() {
        return testkit::skip("a Docker daemon");
    }
    sandbox("docker", PROBE, 9).await;
}

/// An unmodified configuration for a well-known provider, offline.
#[tokio::test(flavor = "multi_thread")]
async fn a_well_known_provider_from_the_mirror() {
    let dev = Dev::start();
    let cloud = FakeCloud::start();
    let project = Project::new(&dev);
    project.backend(Backend::Cloud, "aws").write(
        "main.tf",
        &format!(
            "provider \"aws\" {{\n  region   = \"us-east-1\"\n  endpoint = \"{}\"\n}}\nresource \"aws_instance\" \"web\" {{\n  ami           = \"ami-1\"\n  instance_type = \"t3.micro\"\n  root_block_device {{\n    volume_size = 20\n  }}\n}}\n",
            cloud.endpoint()
        ),
    );
    project.ok(&["init"]);
    let text = project.ok(&["apply", "-auto-approve"]);
    assert!(
        text.contains("volume_size") && text.contains("1 added"),
        "{text}"
    );
    assert_eq!(cloud.ids("aws_instance").len(), 1);
}
