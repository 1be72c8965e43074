//! `terrane policy impact`: proposed policies against what was planned last, through a real server.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tests::{Backend, Dev, terrane};

use crate::common::Session;
use crate::gates::manifest;

/// Objects to resources of this name.
fn without(name: &str) -> String {
    format!(
        "package terraform\n\nimport rego.v1\n\ndeny contains msg if {{\n\
         \tsome change in input.tfplan.resource_changes\n\tchange.name == \"{name}\"\n\
         \tmsg := sprintf(\"%s must not be there\", [change.address])\n}}\n"
    )
}

fn write(folder: &Path, text: &str) {
    fs::write(
        folder.join("terrane-policy.hcl"),
        manifest("names", "hard-mandatory"),
    )
    .unwrap();
    fs::write(folder.join("names.rego"), text).unwrap();
}

/// Runs `terrane policy impact` with these arguments against the server.
pub(crate) fn impact(dev: &Dev, arguments: &[&str]) -> Output {
    let ca = dev.facts.ca_file.to_string_lossy().into_owned();
    terrane(
        &[&["policy", "impact"], arguments].concat(),
        &[
            ("TERRANE_ADDRESS", dev.facts.url.as_str()),
            ("TERRANE_TOKEN", dev.facts.token.as_str()),
            ("TERRANE_CA_FILE", &ca),
        ],
    )
}

fn of_folder(dev: &Dev, group: &str, folder: &Path, format: &str) -> Output {
    let folder = folder.to_string_lossy();
    let arguments = ["--group", group, "--path", &folder, "--format", format];
    impact(dev, &arguments)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_would_do_is_told_before_it_is_in_force() {
    let session = Session::start(Backend::Cloud).await;
    let group = session
        .api
        .policy_group(
            json!({"name": "base", "is-enforced": true}),
            &[
                ("terrane-policy.hcl", &manifest("names", "hard-mandatory")),
                ("names.rego", &without("nobody")),
            ],
        )
        .await;
    session.project.ok(&["init"]);
    session.project.ok(&["apply", "-auto-approve"]);
    let folder = tempfile::tempdir().unwrap();

    write(folder.path(), &without("b"));
    let worse = of_folder(&session.dev, &group, folder.path(), "table");
    assert_eq!(worse.status.code(), Some(2), "{worse:?}");
    let text = said(&worse);
    assert!(text.contains("newly-failing"), "{text}");
    assert!(text.contains("passed -> hard_failed"), "{text}");
    assert!(
        text.contains("terraform_data.b must not be there"),
        "{text}"
    );
    assert!(text.contains("1 newly failing"), "{text}");

    let again = of_folder(&session.dev, &group, folder.path(), "json");
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let document: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(document["analysis"]["evaluated-count"], 0, "{document}");
    assert_eq!(document["results"][0]["after"]["result"], "hard_failed");
    assert!(document["unjudgeable"].as_array().unwrap().is_empty());

    let table = of_folder(&session.dev, &group, folder.path(), "csv");
    assert!(said(&table).starts_with("environment,workspace,run,policy,change"));

    write(folder.path(), &without("somebody"));
    let harmless = of_folder(&session.dev, &group, folder.path(), "table");
    assert_eq!(harmless.status.code(), Some(0), "{harmless:?}");

    // Nothing of it is in force.
    session
        .project
        .ok(&["apply", "-auto-approve", "-var", "message=v2"]);

    fs::write(folder.path().join("terrane-policy.hcl"), "policy {").unwrap();
    let broken = of_folder(&session.dev, &group, folder.path(), "table");
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    let missing = of_folder(&session.dev, "polset-none", folder.path(), "table");
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    let reason = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(reason.contains("not-found"), "{reason}");
}
