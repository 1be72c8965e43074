//! The contract of `terrane dev`: what it prints, how it ends, and that it carries on.

use tests::{Backend, Dev, Project, is_alive};

#[tokio::test(flavor = "multi_thread")]
async fn the_line_is_as_promised_and_the_server_serves() {
    let dev = Dev::start();
    assert!(
        dev.facts.url.starts_with("https://localhost:"),
        "{}",
        dev.facts.url
    );
    assert!(is_alive(dev.facts.pid));
    assert!(
        dev.facts.runner_pids.iter().all(|pid| is_alive(*pid)) && dev.facts.runner_pids.len() == 1
    );
    for file in [
        &dev.facts.ca_file,
        &dev.facts.admin_password_file,
        &dev.facts.runner_token_file,
        &dev.facts.cli_config_file,
    ] {
        assert!(file.is_file(), "{}", file.display());
    }
    let api = dev.api();
    for path in ["/healthz", "/readyz", "/.well-known/terraform.json"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    let ping = api.get("ping").await;
    assert_eq!(ping.status, 204);
    api.get(&format!(
        "organizations/{}/entitlement-set",
        dev.facts.environment
    ))
    .await
    .expect(200);
    api.with_token("trn_user_nonsense")
        .get("account/details")
        .await
        .expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_cleanly_and_carries_on() {
    let mut dev = Dev::start();
    let project = Project::new(&dev);
    project
        .backend(Backend::Cloud, "kept")
        .write("main.tf", "resource \"terraform_data\" \"a\" {}\n");
    project.ok(&["init"]);
    project.ok(&["apply", "-auto-approve"]);
    let state = project.ok(&["state", "pull"]);
    assert!(dev.stop().success());
    tests::wait::blocking("its runner has ended too", || {
        dev.process("terrane-runner").is_none()
    });
    dev.restart();
    assert_eq!(project.ok(&["state", "pull"]), state);
    project.ok(&["apply", "-auto-approve", "-replace=terraform_data.a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_writes_is_there_in_the_apply() {
    let dev = Dev::start();
    let project = Project::new(&dev);
    let cloud = testkit::FakeCloud::start();
    project.backend(Backend::Cloud, "files").write(
        "main.tf",
        &format!(
            "terraform {{\n  required_providers {{\n    sandbox = {{ source = \"sandbox.test/demo/sandbox\" }}\n  }}\n}}\n\
             provider \"sandbox\" {{ endpoint = \"{}\" }}\n\
             data \"sandbox_render\" \"r\" {{\n  path = \"rendered.txt\"\n  content = \"made while planning\"\n}}\n\
             resource \"sandbox_object\" \"a\" {{\n  name = \"a\"\n  source_file = data.sandbox_render.r.path\n}}\n\
             output \"content\" {{ value = sandbox_object.a.source_content }}\n",
            cloud.endpoint()
        ),
    );
    project.ok(&["init"]);
    project.ok(&["apply", "-auto-approve"]);
    assert_eq!(
        project.ok(&["output", "-raw", "content"]),
        "made while planning"
    );
}
