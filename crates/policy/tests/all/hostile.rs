//! Policies that would eat the machine. Each is evaluated in a real worker between two harmless
//! ones, which must get their verdicts.

use std::fmt::Write;

use policy::worker::Evaluated;
use policy::{Circumstances, Outcome, SourceFile};

use crate::support::{group, worker};

const HEAD: &str = "package terraform\nimport rego.v1\n";

#[test]
fn loops_are_stopped_by_the_clock() {
    for body in [
        // Three nested loops over 2000.
        "r := numbers.range(1, 2000)\ndeny contains \"x\" if { some a in r; some b in r; some c in r; a + b + c < 0 }\n",
        "r := numbers.range(1, 3000)\ndeny contains x if { x := count([1 | some a in r; some b in r; some c in r; a * b * c == -1]) }\n",
        // A function whose error could be forgotten by its other definition.
        "r := numbers.range(1, 3000)\nf(n) := count([1 | some a in r; some b in r; some c in r; a * b * c == n])\nf(n) := 0 if n < 0\ndeny contains \"x\" if f(-1) == 1\n",
    ] {
        assert_stopped(body, &["time limit", "processor time", "needs more than"]);
    }
}

#[test]
fn endless_recursion_is_stopped() {
    assert_stopped(
        "f(x) := f(x + 1)\ndeny contains \"x\" if f(1) == 0\n",
        &["calls itself", "recurs"],
    );
    // Through a value, where no call is seen to come back.
    assert_stopped(
        "a := f(1)\nf(x) := x if a > 0\ndeny contains \"x\" if a == 0\n",
        &["calls itself", "recurs"],
    );
    let mut chain = String::new();
    for at in 0..20_000 {
        writeln!(chain, "a{at} := a{}", at + 1).unwrap();
    }
    chain.push_str("a20000 := 1\ndeny contains \"x\" if a0 == 2\n");
    assert_stopped(
        &chain,
        &[
            "calls itself",
            "processor time",
            "time limit",
            "needs more than",
        ],
    );
}

#[test]
fn memory_is_bounded() {
    for body in [
        "deny contains x if x := count(numbers.range(1, 1000000000))\n",
        "deny contains x if x := count(net.cidr_expand(\"10.0.0.0/6\"))\n",
        "r := numbers.range(1, 5000)\ndeny contains x if { some a in r; some b in r; x := sprintf(\"%d-%d\", [a, b]) }\n",
    ] {
        assert_stopped(
            body,
            &["memory", "time limit", "processor time", "ended with"],
        );
    }
    // The engine refuses by itself, and the call is undefined.
    let shifted = evaluate("deny contains x if x := bits.lsh(1, 100000000000)\n");
    assert_eq!(shifted.verdicts[1].outcome, Outcome::Passed);
    // Each concat makes its text sixteen times longer.
    let mut bomb = String::from("a0 := \"xxxxxxxxxxxxxxxx\"\n");
    for at in 1..=8 {
        let before = format!("a{}", at - 1);
        writeln!(
            bomb,
            "a{at} := concat(\"\", [{}])",
            vec![before; 16].join(",")
        )
        .unwrap();
    }
    bomb.push_str("deny contains x if x := count(a8)\n");
    assert_stopped(&bomb, &["memory", "time limit", "processor time"]);
}

#[test]
fn hostile_sources_are_refused_or_stopped() {
    let deep = format!(
        "x := {}1{}\ndeny contains 1 if x == 1\n",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    assert_stopped(&deep, &["nested"]);
    // Below the bound of nesting, but very many times: the parser itself takes too long.
    let mut many = String::new();
    let (open, close) = (
        "[".repeat(policy::MAX_NESTING),
        "]".repeat(policy::MAX_NESTING),
    );
    for at in 0..2000 {
        writeln!(many, "x{at} := {open}1{close}").unwrap();
    }
    many.push_str("deny contains 1 if x0 == 1\n");
    assert_stopped(&many, &["processor time"]);
    let huge = format!("x := \"{}\"\n", "x".repeat(policy::MAX_SOURCE_BYTES));
    assert_stopped(&huge, &["bytes"]);
}

#[test]
fn a_regular_expression_bomb_stops_nobody() {
    // The expression is refused by its size; the call is undefined, as in OPA, and nothing waits.
    let verdicts = evaluate(
        "deny contains \"x\" if regex.match(\"(a{1,1000}){1,1000}{1,1000}\", \"aaaaaaaaaaaaaaaaaaaaaaaa\")\n",
    )
    .verdicts;
    assert_eq!(verdicts.len(), 3);
    // Nested quantifiers are no trap: the matcher takes linear time.
    let verdicts = evaluate(&format!(
        "deny contains \"x\" if not regex.match(\"^(a+)+$\", \"{}b\")\n",
        "a".repeat(5000)
    ))
    .verdicts;
    assert_eq!(verdicts[1].outcome, Outcome::Failed);
}

#[test]
fn a_flood_of_denials_is_cut() {
    let verdicts = evaluate(
        "deny contains x if { some a in numbers.range(1, 20000); x := sprintf(\"%d %s\", [a, \"text\"]) }\n",
    )
    .verdicts;
    assert_eq!(verdicts[1].outcome, Outcome::Failed);
    assert_eq!(verdicts[1].messages.len(), policy::MAX_DENIALS);
    assert_eq!(verdicts[1].omitted, 19_000);
}

#[test]
fn the_host_is_out_of_reach() {
    for call in [
        "http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1/\"})",
        "opa.runtime()",
        "net.lookup_ip_addr(\"localhost\")",
    ] {
        assert_stopped(
            &format!("deny contains \"x\" if {call}\n"),
            &["not allowed"],
        );
    }
}

#[test]
fn tests_that_hang_fail_alone() {
    let files = [
        ("a_test.rego", "test_good if { 1 == 1 }\ntest_loop if { some a in r; some b in r; some c in r; a + b + c < 0 }\nr := numbers.range(1, 2000)\ntest_too if { true }\n"),
        ("b_test.rego", "f(x) := f(x + 1)\ntest_deep if { f(1) == 0 }\ntest_fine if { true }\n"),
    ]
    .map(|(path, body)| SourceFile::new(path, format!("{HEAD}{body}")));
    let units = files
        .into_iter()
        .map(|file| policy::suite::TestUnit {
            name: file.path.clone(),
            files: vec![file],
            data: Vec::new(),
        })
        .collect();
    let reports = worker()
        .test(units, policy::Dialect::V1, Circumstances::default())
        .unwrap();
    let counts: Vec<(usize, usize)> = reports.iter().map(|report| report.counts()).collect();
    assert_eq!(counts, [(2, 1), (1, 1)], "{reports:?}");
}

#[test]
fn the_input_is_checked() {
    let source = group(&[(
        "p",
        "package terraform\nimport rego.v1\ndeny contains 1 if input.x\n",
    )]);
    for input in ["", "[1]", "{", "{\"a\":"] {
        let error = worker()
            .evaluate(source.clone(), input.as_bytes(), Circumstances::default())
            .unwrap_err();
        assert!(
            error.to_string().contains("the input is no JSON"),
            "{error}"
        );
    }
}

#[test]
fn single_policies_can_be_asked() {
    let policy = "package terraform\nimport rego.v1\ndeny contains \"x\" if input.x\n";
    let source = group(&[("one", policy), ("two", policy), ("three", policy)]);
    let only = ["three".to_owned(), "none".to_owned()].into();
    let evaluated = worker()
        .evaluate_only(source, only, b"{\"x\": true}", Circumstances::default())
        .unwrap();
    let names: Vec<&str> = evaluated
        .verdicts
        .iter()
        .map(|verdict| verdict.policy.as_str())
        .collect();
    assert_eq!(names, ["three"]);
}

#[test]
fn a_checkup_tells_what_a_sync_must_know() {
    let source = group(&[
        (
            "good",
            "package terraform\nimport rego.v1\ndeny contains 1 if input.x\n",
        ),
        (
            "bad",
            "package terraform\nimport rego.v1\ndeny contains 1 if http.send({})\n",
        ),
    ]);
    let checkup = worker().check(source).unwrap().unwrap();
    assert_eq!(checkup.policies[0].problems, []);
    assert_eq!(checkup.policies[0].digest.len(), 64);
    let problem = &checkup.policies[1].problems[0];
    assert_eq!((problem.file.as_str(), problem.line), ("bad.rego", Some(3)));
    assert!(problem.remedy.contains("data.account"));
    let none = worker().check(policy::GroupSource::default()).unwrap();
    assert!(none.unwrap_err().message.contains("no manifest"));
}

/// Evaluates a body between two harmless policies.
fn evaluate(body: &str) -> Evaluated {
    let harmless = format!("{HEAD}deny contains \"seen\" if input.x == 1\n");
    let source = group(&[
        ("before", &harmless),
        ("hostile", &format!("{HEAD}{body}")),
        ("after", &harmless),
    ]);
    let evaluated = worker()
        .evaluate(source, b"{\"x\": 1}", Circumstances::default())
        .unwrap();
    assert_eq!(evaluated.verdicts.len(), 3, "{evaluated:?}");
    for at in [0, 2] {
        assert_eq!(
            evaluated.verdicts[at].messages[0].message, "seen",
            "{evaluated:?}"
        );
    }
    evaluated
}

/// The body gets no answer, for one of these reasons, and blocks the run.
fn assert_stopped(body: &str, reasons: &[&str]) {
    let evaluated = evaluate(body);
    let verdict = &evaluated.verdicts[1];
    let shown: String = body.chars().take(100).collect();
    assert_eq!(verdict.outcome, Outcome::Errored, "{shown}: {verdict:?}");
    assert_eq!(verdict.effect(true), policy::Effect::Block);
    let error = verdict.error.as_deref().unwrap();
    assert!(
        reasons.iter().any(|reason| error.contains(reason)),
        "{shown}: {error}"
    );
}
