//! Groups of both kinds, compiled and asked in this process.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::Circumstances;
use crate::input::Input;
use crate::verdict::{Outcome, Verdict};

const TAGS: &str = r#"package terraform
import rego.v1
deny contains msg if {
    some change in input.tfplan.resource_changes
    not change.change.after.tags.owner
    msg := sprintf("%s has no owner", [change.address])
}
"#;

#[test]
fn a_denial_names_the_resource() {
    let group = compile(&[
        ("scalr-policy.hcl", &level("tags", "hard-mandatory")),
        ("tags.rego", TAGS),
    ]);
    let verdict = ask(
        &group,
        0,
        json!({"tfplan": {"resource_changes": [
            {"address": "aws_instance.a[0]", "change": {"after": {"tags": {}}}},
            {"address": "aws_instance.b", "change": {"after": {"tags": {"owner": "x"}}}},
        ]}}),
    );
    assert_eq!(verdict.outcome, Outcome::Failed);
    assert_eq!(verdict.result(), "hard_failed");
    assert_eq!(verdict.messages.len(), 1);
    assert_eq!(
        verdict.messages[0].message,
        "aws_instance.a[0] has no owner"
    );
    assert_eq!(verdict.messages[0].resources, ["aws_instance.a[0]"]);
}

#[test]
fn both_dialects_are_read_side_by_side() {
    let group = compile(&[
        (
            "terrane-policy.hcl",
            &format!("{}{}", level("old", "advisory"), level("new", "advisory")),
        ),
        (
            "old.rego",
            "package terraform\ndeny[msg] { input.tfrun.is_destroy; msg := \"old\" }\n",
        ),
        (
            "new.rego",
            "package terraform\ndeny contains \"new\" if input.tfrun.is_destroy\n",
        ),
    ]);
    for at in [0, 1] {
        assert!(
            group.policies[at].is_sound(),
            "{:?}",
            group.policies[at].problems
        );
        let verdict = ask(&group, at, json!({"tfrun": {"is_destroy": true}}));
        assert_eq!(verdict.messages[0].message, group.policies[at].name);
        let verdict = ask(&group, at, json!({"tfrun": {"is_destroy": false}}));
        assert_eq!(verdict.outcome, Outcome::Passed);
    }
}

#[test]
fn one_broken_policy_is_its_own_error() {
    let group = compile(&[
        (
            "scalr-policy.hcl",
            &format!(
                "{}{}{}",
                level("bad", "hard-mandatory"),
                level("gone", "advisory"),
                level("tags", "advisory")
            ),
        ),
        (
            "bad.rego",
            "package terraform\nimport rego.v1\ndeny contains msg if {\n  msg := foo(\n}\n",
        ),
        ("tags.rego", TAGS),
    ]);
    let [bad, gone, tags] = &group.policies[..] else {
        panic!("three policies");
    };
    let problem = &bad.problems[0];
    assert_eq!(problem.file, "bad.rego");
    assert!(problem.line.is_some() && !problem.remedy.is_empty());
    assert!(gone.problems[0].message.contains("gone.rego"));
    assert!(tags.is_sound());
    assert_eq!(ask(&group, 0, json!({})).result(), "errored");
}

#[test]
fn what_cannot_work_is_named_when_compiled() {
    for (source, expected) in [
        (
            "package terraform\nimport rego.v1\ndeny contains 1 if http.send({\"url\": \"x\"})\n",
            "http.send",
        ),
        (
            "package terraform\nimport rego.v1\ndeny contains 1 if io.jwt.decode(\"x\")\n",
            "io.jwt.decode",
        ),
        (
            "package terraform\nimport rego.v1\ndeny contains 1 if nosuch(1)\n",
            "no function `nosuch`",
        ),
        (
            "package terraform\nimport rego.v1\nf(x) := x\ndeny contains 1 if f(1, 2, 3)\n",
            "takes 1 arguments",
        ),
        (
            "package terraform\nimport rego.v1\nf(x) := g(x)\ng(x) := f(x + 1)\ndeny contains 1 if f(1)\n",
            "calls itself: f → g → f",
        ),
        (
            "package terraform\nimport rego.v1\ndenied contains 1 if true\n",
            "no rule data.terraform.deny",
        ),
        (
            "package terraforms\nimport rego.v1\ndeny contains 1 if true\n",
            "no rule data.terraform.deny",
        ),
        (
            "package terraform\nimport rego.v1\ndeny contains x if { y > 1; x := 1 }\n",
            "unsafe",
        ),
    ] {
        let group = compile(&[
            ("scalr-policy.hcl", &level("p", "advisory")),
            ("p.rego", source),
        ]);
        let problems = &group.policies[0].problems;
        let named = problems.iter().any(|it| it.message.contains(expected));
        assert!(named, "{expected}: {problems:?}");
    }
}

#[test]
fn a_refused_call_is_not_forgotten_by_a_function_with_other_answers() {
    // Compiling refuses it already; this asks the engine all the same.
    let mut group = compile(&[
        ("scalr-policy.hcl", &level("p", "advisory")),
        (
            "p.rego",
            "package terraform\nimport rego.v1\nf(x) := http.send(x)\nf(x) := 1\ndeny contains \"x\" if f({}) == 2\n",
        ),
    ]);
    group.policies[0].problems.clear();
    assert_eq!(ask(&group, 0, json!({})).outcome, Outcome::Errored);
}

#[test]
fn an_object_is_no_answer() {
    let group = compile(&[
        ("scalr-policy.hcl", &level("p", "advisory")),
        (
            "p.rego",
            "package terraform\nimport rego.v1\ndeny[msg] if msg := \"x\"\n",
        ),
    ]);
    let verdict = ask(&group, 0, json!({}));
    assert_eq!(verdict.outcome, Outcome::Errored);
    assert!(verdict.error.unwrap().contains("deny contains"));
}

#[test]
fn a_lone_file_may_have_another_name() {
    let group = compile(&[
        ("scalr-policy.hcl", &level("check_user", "advisory")),
        ("user.rego", TAGS),
        ("user_test.rego", "package terraform\n"),
    ]);
    assert!(group.policies[0].is_sound());
    assert!(
        group.policies[0].problems[0]
            .remedy
            .contains("check_user.rego")
    );
}

#[test]
fn common_functions_are_found_and_belong_to_the_digest() {
    let helper =
        "package lib.tags\nimport rego.v1\nmissing(change) if not change.change.after.tags\n";
    let other = "package lib.other\nimport rego.v1\nx := 1\n";
    let policy = "package terraform\nimport rego.v1\nimport data.lib.tags\n\
        deny contains \"no tags\" if { some c in input.tfplan.resource_changes; tags.missing(c) }\n";
    let with = |helper: &str, other: &str| {
        Group::compile(&GroupSource {
            files: files(&[
                ("scalr-policy.hcl", &level("p", "advisory")),
                ("p.rego", policy),
            ]),
            common: files(&[("lib/tags.rego", helper), ("lib/other.rego", other)]),
            ..GroupSource::default()
        })
        .unwrap()
    };
    let group = with(helper, other);
    assert!(
        group.policies[0].is_sound(),
        "{:?}",
        group.policies[0].problems
    );
    assert_eq!(group.policies[0].files(), ["lib/tags.rego", "p.rego"]);
    let verdict = ask(
        &group,
        0,
        json!({"tfplan": {"resource_changes": [{"change": {"after": {}}}]}}),
    );
    assert_eq!(verdict.outcome, Outcome::Failed);

    let digest = |group: &Group| group.policies[0].digest.clone();
    assert_eq!(
        digest(&group),
        digest(&with(helper, "package lib.other\nimport rego.v1\nx := 2\n"))
    );
    assert_ne!(
        digest(&group),
        digest(&with(&format!("{helper}\n# changed\n"), other))
    );
    // A broken helper is the error of those who need it.
    let group = with("package lib.tags\nimport rego.v1\nmissing(", other);
    assert_eq!(group.policies[0].problems[0].file, "lib/tags.rego");
    assert!(with(helper, "package lib.other\nx := (").policies[0].is_sound());
}

#[test]
fn policy_sets_ask_their_queries() {
    let source = GroupSource {
        files: files(&[
            (
                "policies.hcl",
                "policy \"ingress\" {\n  query = \"data.terraform.policies.ingress.deny\"\n  enforcement_level = \"mandatory\"\n}\n\
                 policy \"gone\" {\n  query = \"data.terraform.policies.gone.deny\"\n}\n",
            ),
            (
                "policies/ingress.rego",
                "package terraform.policies.ingress\nimport rego.v1\nimport input.plan as plan\n\
                 deny contains msg if {\n  some r in plan.resource_changes\n  r.change.after.cidr == data.parameters.forbidden\n\
                 msg := sprintf(\"%v is open\", [r.address])\n}\n",
            ),
        ]),
        parameters: json!({"forbidden": "0.0.0.0/0"})
            .as_object()
            .unwrap()
            .clone(),
        ..GroupSource::default()
    };
    let group = Group::compile(&source).unwrap();
    let plan = json!({"resource_changes": [{"address": "a.b", "change": {"after": {"cidr": "0.0.0.0/0"}}}]});
    for input in [json!({"plan": plan}), json!({"tfplan": plan})] {
        let verdict = ask(&group, 0, input);
        assert_eq!(verdict.messages[0].message, "a.b is open", "{verdict:?}");
        assert_eq!(verdict.messages[0].resources, ["a.b"]);
    }
    assert!(
        group.policies[1].problems[0]
            .message
            .contains("there is no rule")
    );
}

#[test]
fn documents_of_the_account_are_data() {
    let policy = "package terraform\nimport rego.v1\ndeny contains \"frozen\" if data.account.calendar.frozen\n";
    let with = |calendar: serde_json::Value, other: serde_json::Value| {
        Group::compile(&GroupSource {
            files: files(&[
                ("scalr-policy.hcl", &level("p", "advisory")),
                ("p.rego", policy),
            ]),
            account: json!({"calendar": calendar, "other": other})
                .as_object()
                .unwrap()
                .clone(),
            ..GroupSource::default()
        })
        .unwrap()
    };
    let frozen = with(json!({"frozen": true}), json!(1));
    assert_eq!(ask(&frozen, 0, json!({})).outcome, Outcome::Failed);
    let open = with(json!({"frozen": false}), json!(1));
    assert_eq!(ask(&open, 0, json!({})).outcome, Outcome::Passed);
    assert_ne!(frozen.policies[0].digest, open.policies[0].digest);
    let same = with(json!({"frozen": false}), json!(2));
    assert_eq!(same.policies[0].digest, open.policies[0].digest);
}

#[test]
fn the_time_is_the_callers() {
    let group = compile(&[
        ("scalr-policy.hcl", &level("p", "advisory")),
        (
            "p.rego",
            "package terraform\nimport rego.v1\ndeny contains msg if msg := time.weekday(time.now_ns())\n",
        ),
    ]);
    let input = Input::parse("{}").unwrap();
    let friday = Circumstances {
        now_ns: 1_700_784_000_000_000_000,
    };
    let verdict = group.policies[0].evaluate(&input, friday, Duration::from_secs(60));
    assert_eq!(verdict.messages[0].message, "Friday");
}

fn compile(given: &[(&str, &str)]) -> Group {
    Group::compile(&GroupSource {
        files: files(given),
        ..GroupSource::default()
    })
    .unwrap()
}

fn files(given: &[(&str, &str)]) -> Vec<SourceFile> {
    given
        .iter()
        .map(|(path, text)| SourceFile::new(*path, *text))
        .collect()
}

fn level(name: &str, level: &str) -> String {
    format!("policy \"{name}\" {{\n  enabled = true\n  enforcement_level = \"{level}\"\n}}\n")
}

fn ask(group: &Group, at: usize, input: serde_json::Value) -> Verdict {
    let input = Input::parse(&input.to_string()).unwrap();
    group.policies[at].evaluate(&input, Circumstances::default(), Duration::from_secs(60))
}

proptest::proptest! {
    /// Whatever the files hold, compiling comes to an end with problems or without.
    #[test]
    fn any_text_compiles_or_is_told_off(
        manifest in "(policy|version|\"p\"|=|\\{|\\}|\n| |enabled|query|[a-z\"$]){0,40}",
        source in "(package terraform\n|import rego.v1\n|deny|contains|if|\\{|\\}|\\[|:=|input|with|as|\"|\n| |[a-z0-9.()]){0,60}",
    ) {
        for name in ["terrane-policy.hcl", "policies.hcl", "policies.json"] {
            let _ = Group::compile(&GroupSource {
                files: files(&[(name, &manifest), ("p.rego", &source)]),
                ..GroupSource::default()
            });
        }
        let _ = Group::compile(&GroupSource {
            files: files(&[("scalr-policy.hcl", &level("p", "advisory")), ("p.rego", &source)]),
            ..GroupSource::default()
        });
    }
}
