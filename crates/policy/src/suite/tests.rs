//! Tests of the runner of tests.

use super::*;

#[test]
fn tests_pass_fail_and_err_as_in_opa() {
    let report = report(
        &[
            (
                "p.rego",
                "package terraform\nimport rego.v1\ndeny contains \"x\" if input.bad\n",
            ),
            (
                "p_test.rego",
                "package terraform\nimport rego.v1\n\
                 test_bad if { count(deny) == 1 with input as {\"bad\": true} }\n\
                 test_mock if { count(deny) == 1 with input as data.mock.bad }\n\
                 test_wrong if { print(\"seen\", 1); count(deny) == 1 with input as {} }\n\
                 todo_test_later if { false }\n",
            ),
            ("p_mock.json", "{\"mock\": {\"bad\": {\"bad\": true}}}"),
        ],
        Dialect::V1,
    );
    assert_eq!(report.problems, []);
    let outcomes: Vec<(&str, TestOutcome)> = report
        .tests
        .iter()
        .map(|test| (test.name.as_str(), test.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("data.terraform.test_bad", TestOutcome::Passed),
            ("data.terraform.test_mock", TestOutcome::Passed),
            ("data.terraform.test_wrong", TestOutcome::Failed),
            ("data.terraform.todo_test_later", TestOutcome::Skipped),
        ]
    );
    assert!(report.tests[2].output.contains("seen 1"));
    assert_eq!(report.counts(), (2, 1));
    assert_eq!(report.tests[1].line, 4);
}

#[test]
fn a_bare_rule_can_be_replaced() {
    let report = report(
        &[
            (
                "p.rego",
                "package terraform\nrandom_number = x { x := http.send({\"url\": \"x\"}).body }\n\
                 deny[\"low\"] { random_number < 5 }\n",
            ),
            (
                "p_test.rego",
                "package terraform\ntest_low { count(deny) == 1 with random_number as 2 }\n\
                 test_high { result = deny with random_number as 7; count(result) == 0 }\n",
            ),
        ],
        Dialect::Auto,
    );
    assert_eq!(report.counts(), (2, 0), "{report:?}");
}

#[test]
fn functions_and_builtins_can_be_replaced() {
    let report = report(
        &[(
            "p_test.rego",
            "package p\nimport rego.v1\nf(x) := x + 1\nnot_ns := 5\nbody(_) := {\"ok\": true}\n\
             test_f if { f(1) == 9 with f as 9 }\n\
             test_time if { time.now_ns() == 5 with time.now_ns as not_ns }\n\
             test_http if { http.send({}).ok with http.send as body }\n",
        )],
        Dialect::V1,
    );
    assert_eq!(report.counts(), (3, 0), "{report:?}");
}

#[test]
fn the_second_test_of_a_name_does_not_hide_the_first() {
    let report = report(
        &[(
            "p_test.rego",
            "package p\nimport rego.v1\ntest_a if { 1 == 2 }\ntest_a if { 1 == 1 }\n",
        )],
        Dialect::V1,
    );
    assert_eq!(report.counts(), (1, 1));
    assert_eq!(report.tests[1].name, "data.p.test_a#01");
}

#[test]
fn a_file_that_does_not_parse_fails_its_unit() {
    let report = report(
        &[
            ("a_test.rego", "package p\nimport rego.v1\ntest_a if true\n"),
            ("b.rego", "package p\nimport rego.v1\nx := (\n"),
        ],
        Dialect::V1,
    );
    assert_eq!(report.counts(), (0, 1));
    assert_eq!(report.problems[0].file, "b.rego");
}

#[test]
fn folders_are_units_and_groups_are_tested_policy_by_policy() {
    let policy = |name: &str| {
        format!("package terraform\nimport rego.v1\ndeny contains \"{name}\" if input.{name}\n")
    };
    let test = |name: &str| {
        format!(
            "package terraform\nimport rego.v1\ntest_{name} if {{ deny == {{\"{name}\"}} with input as data.mock }}\n"
        )
    };
    let block = |name: &str| format!("policy \"{name}\" {{ enforcement_level = \"advisory\" }}\n");
    let files: Vec<SourceFile> = [
        ("g/scalr-policy.hcl", block("one") + &block("two")),
        ("g/one.rego", policy("one")),
        ("g/one_test.rego", test("one")),
        ("g/two.rego", policy("two")),
        ("g/two_test.rego", test("two")),
        (
            "g/mock.json",
            "{\"mock\": {\"one\": true, \"two\": true}}".to_owned(),
        ),
        ("alone/three.rego", policy("three")),
        ("alone/three_test.rego", test("three")),
        (
            "alone/three.json",
            "{\"mock\": {\"three\": true}}".to_owned(),
        ),
    ]
    .into_iter()
    .map(|(path, text)| SourceFile::new(path, text))
    .collect();
    let units = units(&files, &[]).unwrap();
    let names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
    assert_eq!(names, ["alone", "g/one", "g/two"]);
    for unit in &units {
        let report = run(
            unit,
            Dialect::Auto,
            Circumstances::default(),
            Duration::from_secs(60),
        );
        assert_eq!(report.counts(), (1, 0), "{report:?}");
    }
}

#[test]
fn a_policy_set_is_one_unit() {
    let files: Vec<SourceFile> = [
        ("policies.hcl", "policy \"a\" { query = \"data.a.deny\" }"),
        ("policies/a.rego", "package a\nimport rego.v1\ndeny contains 1 if input.x\n"),
        ("tests/a_test.rego", "package a_test\nimport rego.v1\nimport data.a\ntest_a if count(a.deny) == 1 with input as data.tests.mock\n"),
        ("tests/mock.json", "{\"mock\": {\"x\": true}}"),
    ]
    .into_iter()
    .map(|(path, text)| SourceFile::new(path, text))
    .collect();
    let units = units(&files, &[]).unwrap();
    assert_eq!(units.len(), 1);
    let report = run(
        &units[0],
        Dialect::Auto,
        Circumstances::default(),
        Duration::from_secs(60),
    );
    assert_eq!(report.counts(), (1, 0), "{report:?}");
}

#[test]
fn sets_and_tests_apart_are_found_below() {
    let files: Vec<SourceFile> = [
        "sets/one/policies.hcl",
        "sets/one/policies/a.rego",
        "sets/one/tests/a_test.rego",
        "apart/policies/b.rego",
        "apart/tests/b_test.rego",
        "alone/c.rego",
        "alone/c_test.rego",
        "alone.d/d.rego",
    ]
    .into_iter()
    .map(|path| SourceFile::new(path, ""))
    .collect();
    let units = units(&files, &[]).unwrap();
    let found: Vec<(&str, usize)> = units
        .iter()
        .map(|unit| (unit.name.as_str(), unit.files.len()))
        .collect();
    assert_eq!(
        found,
        [("alone", 2), ("alone.d", 1), ("apart", 2), ("sets/one", 2)]
    );
}

fn report(given: &[(&str, &str)], dialect: Dialect) -> UnitReport {
    let files: Vec<SourceFile> = given
        .iter()
        .map(|(path, text)| SourceFile::new(*path, *text))
        .collect();
    let units = units(&files, &[]).unwrap();
    run(
        &units[0],
        dialect,
        Circumstances::default(),
        Duration::from_secs(60),
    )
}
