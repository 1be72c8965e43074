//! `terrane policy`: what authors see before they push.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use super::{stderr, terrane};

#[test]
fn the_examples_pass_their_tests() {
    for dialect in ["auto", "v1"] {
        let output = terrane()
            .args(["policy", "test", "--dialect", dialect])
            .arg(examples())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stdout(&output));
        let text = stdout(&output);
        let last = text.lines().last().unwrap();
        let passed: usize = last
            .strip_suffix(" passed, 0 failed")
            .and_then(|count| count.parse().ok())
            .unwrap_or_else(|| panic!("{last}"));
        assert!(passed >= 90, "{last}");
    }
}

#[test]
fn a_failing_test_is_named_and_exits_with_1() {
    let directory = written(&[
        ("a/p.rego", "package terraform\ndeny[\"x\"] { input.bad }\n"),
        (
            "a/p_test.rego",
            "package terraform\ntest_good { count(deny) == 1 with input as data.mock.bad }\n\n\
             test_wrong { count(deny) == 1 with input as {} }\n",
        ),
        ("a/p_mock.json", "{\"mock\": {\"bad\": {\"bad\": true}}}"),
        ("b/broken.rego", "package terraform\nx = (\n"),
    ]);
    let test = |folder: &str| {
        terrane()
            .args(["policy", "test"])
            .arg(directory.path().join(folder))
            .output()
            .unwrap()
    };

    let output = test("a");
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("FAIL data.terraform.test_wrong (p_test.rego:4)"),
        "{text}"
    );
    assert_eq!(text.lines().last(), Some("1 passed, 1 failed"));

    let output = test("b");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("broken.rego:"),
        "{}",
        stdout(&output)
    );
    assert_eq!(stdout(&output).lines().last(), Some("0 passed, 1 failed"));
}

#[test]
fn directories_are_tested_one_at_a_time() {
    let policy = |message: &str| format!("package terraform\ndeny[\"{message}\"] {{ true }}\n");
    let test = "package terraform\nrandom = x { x := http.send({\"url\": \"x\"}).body }\n\
        test_one { count(deny) == 1 }\ntest_replaced { random == 7 with random as 7 }\n";
    let directory = written(&[
        ("one/p.rego", &policy("one")),
        ("one/p_test.rego", test),
        ("two/p.rego", &policy("two")),
        ("two/p_test.rego", test),
    ]);
    let output = terrane()
        .args(["policy", "test", "--dialect", "v0"])
        .args([directory.path().join("one"), directory.path().join("two")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stdout(&output));
    assert_eq!(stdout(&output).lines().last(), Some("4 passed, 0 failed"));
}

#[test]
fn a_group_is_evaluated_policy_by_policy() {
    let group = written(&[
        (
            "scalr-policy.hcl",
            "version = \"v1\"\n\
             policy \"tags\" {\n  enabled = true\n  enforcement_level = \"soft-mandatory\"\n}\n\
             policy \"endless\" {\n  enabled = true\n  enforcement_level = \"hard-mandatory\"\n}\n\
             policy \"network\" {\n  enabled = true\n  enforcement_level = \"advisory\"\n}\n\
             policy \"off\" {\n  enabled = false\n  enforcement_level = \"advisory\"\n}\n",
        ),
        (
            "tags.rego",
            "package terraform\ndeny[msg] {\n  c := input.tfplan.resource_changes[_]\n  \
             not c.change.after.tags\n  msg := sprintf(\"%-20s has no tags\", [c.address])\n}\n",
        ),
        (
            "endless.rego",
            "package terraform\nf(x) = y { y := f(x + 1) }\ndeny[\"x\"] { f(1) }\n",
        ),
        (
            "network.rego",
            "package terraform\ndeny[\"x\"] { http.send({\"url\": \"x\"}) }\n",
        ),
        ("off.rego", "package terraform\ndeny[\"x\"] { true }\n"),
    ]);
    let input = written(&[(
        "input.json",
        "{\"tfplan\": {\"resource_changes\": [{\"address\": \"a.b\", \"change\": {\"after\": {}}}]}, \"tfrun\": {}}",
    )]);
    let eval = |more: &[&str]| {
        terrane()
            .args(["policy", "eval", "--group"])
            .arg(group.path())
            .arg("--input")
            .arg(input.path().join("input.json"))
            .args(more)
            .output()
            .unwrap()
    };

    let output = eval(&["--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["result"], "hard_failed");
    let [tags, endless, network] = &document["policies"].as_array().unwrap()[..] else {
        panic!("three policies are enabled: {document}");
    };
    assert_eq!(tags["name"], "tags");
    assert_eq!(tags["result"], "soft_failed");
    assert_eq!(tags["enforcement_level"], "soft-mandatory");
    assert_eq!(tags["messages"][0], "a.b                  has no tags");
    assert_eq!(tags["denials"][0]["resources"][0], "a.b");
    assert_eq!(endless["result"], "errored");
    assert_eq!(network["result"], "errored");
    let error = network["error"].as_str().unwrap();
    assert!(
        error.contains("network.rego:2") && error.contains("data.account"),
        "{error}"
    );

    let output = eval(&["--fail", "--dialect", "v0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("the run would be stopped"));
    assert_eq!(eval(&["--dialect", "v2"]).status.code(), Some(2));
}

#[test]
fn what_is_missing_is_said() {
    let empty = TempDir::new().unwrap();
    let files = written(&[
        (
            "g/terrane-policy.hcl",
            "policy \"p\" {\n  enforcement_level = \"advisory\"\n}\n",
        ),
        (
            "g/p.rego",
            "package terraform\nimport rego.v1\ndeny contains 1 if input.x\n",
        ),
        ("bad.json", "[1]"),
    ]);
    let eval = |group: &Path, input: &Path| {
        let output = terrane()
            .args(["policy", "eval", "--group"])
            .arg(group)
            .arg("--input")
            .arg(input)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let (group, input) = (files.path().join("g"), files.path().join("bad.json"));
    assert!(eval(empty.path(), &input).contains("no JSON object"));
    assert!(eval(&group, &input).contains("no JSON object"));
    assert!(eval(&group, &empty.path().join("gone.json")).contains("gone.json can't be read"));
    let good = written(&[("input.json", "{}")]);
    assert!(eval(empty.path(), &good.path().join("input.json")).contains("no manifest"));
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/policies")
}

fn written(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
