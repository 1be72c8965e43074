//! `terrane keys rotate` beside a serving installation: nothing becomes unreadable, and the old
//! installation key can be thrown away.

use serde_json::json;
use tests::{Backend, Dev, Options, Project, terrane};

fn rotate(dev: &Dev, environment: &[(&str, &str)]) -> (bool, String) {
    let data = dev.facts.data_dir.to_str().unwrap();
    let output = terrane(&["keys", "rotate", "--data-dir", data], environment);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_get_new_keys_while_runs_go_on() {
    let dev = Dev::start();
    let project = Project::new(&dev);
    project
        .backend(Backend::Cloud, "kept")
        .write("main.tf", crate::common::CONFIGURATION);
    project.ok(&["init"]);
    project.ok(&["apply", "-auto-approve"]);
    let state = project.ok(&["state", "pull"]);
    let (done, said) = rotate(&dev, &[]);
    assert!(done && said.contains("1 accounts"), "{said}");
    assert_eq!(project.ok(&["state", "pull"]), state);
    project.ok(&["apply", "-auto-approve", "-var=message=v2"]);
    assert_eq!(project.ok(&["output", "-raw", "message"]), "v2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_installation_key_is_changed() {
    let mut dev = Dev::start_with(Options {
        runners: 1,
        ..Options::default()
    });
    let project = Project::new(&dev);
    project
        .backend(Backend::Cloud, "kept")
        .write("main.tf", crate::common::CONFIGURATION);
    project.ok(&["init"]);
    project.ok(&["apply", "-auto-approve"]);
    let state = project.ok(&["state", "pull"]);
    let api = dev.api();
    let workspace = api
        .workspace(&dev.facts.environment, "kept")
        .await
        .expect(200)
        .id();
    let secret = json!({"data": {"type": "vars", "attributes":
        {"key": "message", "value": "sealed-before", "category": "terraform", "sensitive": true}}});
    api.post(&format!("workspaces/{workspace}/vars"), secret)
        .await
        .expect(201);
    assert!(dev.stop().success());

    let key_file = dev.facts.data_dir.join("installation.key");
    let old = std::fs::read_to_string(&key_file).unwrap();
    let new = "5e".repeat(32);
    std::fs::write(&key_file, &new).unwrap();
    // With the new key alone nothing can be opened, and nothing is changed.
    let (done, said) = rotate(&dev, &[]);
    assert!(!done, "{said}");
    let both = [("TERRANE__KEYS__EARLIER_INSTALLATION_KEY", old.trim())];
    let (done, said) = rotate(&dev, &both);
    assert!(done && said.contains("were moved"), "{said}");
    // Again there is nothing left to move.
    let (done, said) = rotate(&dev, &both);
    assert!(done && said.contains("0 keys and secrets"), "{said}");

    // The old key is gone for good.
    dev.restart();
    assert_eq!(project.ok(&["state", "pull"]), state);
    project.ok(&["apply", "-auto-approve"]);
    assert_eq!(
        project.ok(&["output", "-raw", "message"]),
        "sealed-before",
        "a variable sealed before is opened after"
    );
}
