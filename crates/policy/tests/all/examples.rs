//! The examples: every policy compiles, passes its tests and denies the same in both dialects.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use policy::input::Input;
use policy::suite::{run, units};
use policy::{Circumstances, Dialect, Group, GroupSource, SourceFile, Verdict};

use crate::support::{files_below, root};

/// A Tuesday morning: within the hours that the examples know.
pub(crate) const NOW: Circumstances = Circumstances {
    now_ns: 1_700_553_600_000_000_000,
};
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn there_are_enough_of_them() {
    let examples = examples();
    assert!(examples.len() >= 30, "{}", examples.len());
    for (name, files) in &examples {
        assert!(files.iter().any(SourceFile::is_test), "{name} has no tests");
    }
}

#[test]
fn their_tests_pass_in_both_dialects() {
    for (name, files) in examples() {
        for (dialect, files) in [(Dialect::V1, files.clone()), (Dialect::V0, as_v0(&files))] {
            let mut passed = 0;
            for unit in units(&files, &[]).unwrap() {
                let report = run(&unit, dialect, NOW, LIMIT);
                let (good, bad) = report.counts();
                assert_eq!(bad, 0, "{name} in {dialect}: {report:#?}");
                passed += good;
            }
            assert!(passed >= 2, "{name} in {dialect} has {passed} tests");
        }
    }
}

#[test]
fn they_deny_the_same_in_both_dialects() {
    for (name, files) in examples() {
        let (v1, v0) = (
            verdicts(&files, Dialect::V1),
            verdicts(&as_v0(&files), Dialect::V0),
        );
        assert_eq!(v1, v0, "{name}");
    }
}

#[test]
fn each_has_an_input_that_it_denies_and_one_that_it_passes() {
    for (name, files) in examples() {
        let verdicts = verdicts(&files, Dialect::Auto);
        let denied = verdicts
            .values()
            .filter(|it| it.result().ends_with("failed"));
        let passed = verdicts.values().filter(|it| it.result() == "passed");
        // Time decides in these two, not the input.
        if name != "office_hours" && name != "friday_freeze" {
            assert!(denied.count() > 0, "{name} denies none of the inputs");
        }
        assert!(passed.count() > 0, "{name} passes none of the inputs");
        for verdict in verdicts.values() {
            assert_eq!(verdict.error, None, "{name}");
        }
    }
}

#[test]
fn the_policy_set_passes_its_tests_and_denies() {
    let files = files_below(&root().join("examples/policy-sets/network"));
    let units = units(&files, &[]).unwrap();
    assert_eq!(units.len(), 1, "a policy set is tested as a whole");
    let report = run(&units[0], Dialect::Auto, NOW, LIMIT);
    assert_eq!(report.counts(), (4, 0), "{report:#?}");

    let parameters = serde_json::json!({"everywhere": ["0.0.0.0/0"]});
    let group = Group::compile(&GroupSource {
        files,
        parameters: parameters.as_object().unwrap().clone(),
        ..GroupSource::default()
    })
    .unwrap();
    let input = Input::parse(&inputs()["bad"]).unwrap();
    let ingress = &group.policies[0];
    assert_eq!(ingress.problems, []);
    assert_eq!(
        ingress.files(),
        ["policies/plans.rego", "policies/public_ingress.rego"]
    );
    let verdict = ingress.evaluate(&input, NOW, LIMIT);
    assert_eq!(
        verdict.messages[0].resources,
        ["aws_security_group.open"],
        "{verdict:?}"
    );
}

/// The folders of the examples with their files.
pub(crate) fn examples() -> BTreeMap<String, Vec<SourceFile>> {
    let folder = root().join("examples/policies");
    let mut examples: BTreeMap<String, Vec<SourceFile>> = BTreeMap::new();
    for file in files_below(&folder) {
        if let Some((name, path)) = file.path.split_once('/')
            && name != "inputs"
        {
            let file = SourceFile::new(path, file.text.clone());
            examples.entry(name.to_owned()).or_default().push(file);
        }
    }
    examples
}

/// The inputs of the examples by name.
pub(crate) fn inputs() -> BTreeMap<String, String> {
    files_below(&root().join("examples/policies/inputs"))
        .into_iter()
        .map(|file| {
            let name = Path::new(&file.path).file_stem().unwrap();
            (name.to_str().unwrap().to_owned(), file.text)
        })
        .collect()
}

/// A policy's verdicts by the input's name.
pub(crate) fn verdicts(files: &[SourceFile], dialect: Dialect) -> BTreeMap<String, Verdict> {
    let group = Group::compile(&GroupSource {
        files: files.to_vec(),
        dialect,
        ..GroupSource::default()
    })
    .unwrap();
    let policy = &group.policies[0];
    assert_eq!(policy.problems, [], "{}", policy.name);
    inputs()
        .into_iter()
        .map(|(name, json)| {
            let input = Input::parse(&json).unwrap();
            (name, policy.evaluate(&input, NOW, LIMIT))
        })
        .collect()
}

/// The same policies as they were written before Rego v1: no `if`, no `contains`.
///
/// Mechanical, on the layout that the examples keep to: heads stand at the beginning of a line.
fn as_v0(files: &[SourceFile]) -> Vec<SourceFile> {
    files
        .iter()
        .map(|file| {
            if !file.is_rego() {
                return file.clone();
            }
            let lines: Vec<String> = file.text.lines().map(line_as_v0).collect();
            SourceFile::new(file.path.clone(), lines.join("\n") + "\n")
        })
        .collect()
}

fn line_as_v0(line: &str) -> String {
    if line == "import rego.v1" {
        return "import future.keywords.in".to_owned();
    }
    if line.starts_with(char::is_whitespace) || line.starts_with('#') {
        return line.to_owned();
    }
    let mut line = line.to_owned();
    if let Some((name, rest)) = line.split_once(" contains ") {
        let (key, body) = rest.split_once(" if ").unwrap_or((rest, ""));
        line = format!("{name}[{key}] if {body}");
    }
    match line.split_once(" if ") {
        Some((head, body)) if body.starts_with('{') => format!("{head} {body}"),
        Some((head, body)) => format!("{head} {{ {body} }}"),
        None => line,
    }
}
