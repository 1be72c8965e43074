//! OPA beside us: the same policies on the same inputs, the same builtins on the same arguments.

use std::io::Write;
use std::process::{Command, Stdio};

use policy::Dialect;
use serde_json::{Map, Value, json};

use crate::builtins::{self, Standing};
use crate::examples::{NOW, examples, inputs, verdicts};

#[test]
fn denials_are_those_of_opa() {
    let (mut jobs, mut ours) = (Vec::new(), Vec::new());
    for (name, files) in examples() {
        let verdicts = verdicts(&files, Dialect::V1);
        let modules: Map<String, Value> = files
            .iter()
            .filter(|file| file.is_rego() && !file.is_test())
            .map(|file| (file.path.clone(), json!(file.text)))
            .collect();
        for (input, text) in inputs() {
            let document: Value = serde_json::from_str(&text).unwrap();
            jobs.push(json!({
                "modules": modules,
                "query": format!("x := data.terraform.deny with time.now_ns as {}", NOW.now_ns),
                "input": document,
            }));
            let denied: Vec<String> = verdicts[&input]
                .messages
                .iter()
                .map(|denial| denial.message.clone())
                .collect();
            ours.push((format!("{name} on {input}"), denied));
        }
    }
    let Some(answers) = ask(&jobs) else { return };
    let mut unlike = Vec::new();
    for ((what, ours), answer) in ours.into_iter().zip(answers.answers) {
        let Some(theirs) = binding(&answer).and_then(Value::as_array) else {
            unlike.push(format!("{what}: {answer}"));
            continue;
        };
        let mut theirs: Vec<String> = theirs
            .iter()
            .map(|denial| denial.get("msg").unwrap_or(denial))
            .map(|denial| denial.as_str().unwrap().to_owned())
            .collect();
        theirs.sort();
        if ours != theirs {
            unlike.push(format!("{what}: {ours:?}, OPA {theirs:?}"));
        }
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n"));
}

#[test]
fn builtins_answer_as_those_of_opa() {
    let tried = builtins::tried();
    let jobs: Vec<Value> = tried
        .iter()
        .map(|one| {
            json!({
                "modules": {"t.rego": format!("package t\nimport rego.v1\nr := {}\n", one.example)},
                "query": "x := data.t.r",
                "input": {},
            })
        })
        .collect();
    let Some(answers) = ask(&jobs) else { return };
    let mut unlike = Vec::new();
    for (one, answer) in tried.iter().zip(&answers.answers) {
        let Standing::Supported(ours) = &one.standing else {
            continue;
        };
        // Those of v0 are no longer known to OPA without a flag; chance and time are ours.
        let no_longer = answer["error"]
            .as_str()
            .is_some_and(|it| it.contains("deprecated"));
        if one.varies || no_longer {
            continue;
        }
        let theirs = binding(answer);
        if theirs != Some(ours) {
            unlike.push(format!(
                "{}: {} gives {ours}, OPA {answer}",
                one.name, one.example
            ));
        }
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n"));
    for name in &answers.builtins {
        let listed = tried.iter().any(|one| one.name == *name);
        assert!(
            listed || name.starts_with("internal."),
            "{name} is not listed"
        );
    }
}

struct Answers {
    builtins: Vec<String>,
    answers: Vec<Value>,
}

/// The value of `x` in the first result of a query.
fn binding(answer: &Value) -> Option<&Value> {
    let results = answer.get("value")?;
    results
        .pointer("/0/bindings/x")
        .or_else(|| results.pointer("/0/x"))
}

/// What OPA says, unless it can't be had here.
fn ask(jobs: &[Value]) -> Option<Answers> {
    let opa = match workshop::opa::find_or_fetch(&workshop::Tree::here()) {
        Ok(opa) => opa,
        Err(error) => {
            testkit::skip(&format!("OPA as a Python package: {error:#}"));
            return None;
        }
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/opa.py");
    let mut python = Command::new("python3")
        .arg(script)
        .arg(opa)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let request = serde_json::to_vec(jobs).unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&request));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        output.status.success(),
        "OPA's driver ended with {}",
        output.status
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |name: &str| said[name].as_array().unwrap().clone();
    let answers = list("answers");
    assert_eq!(answers.len(), jobs.len());
    let names = list("builtins");
    Some(Answers {
        builtins: names
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect(),
        answers,
    })
}
