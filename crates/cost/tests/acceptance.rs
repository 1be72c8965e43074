//! The estimator against reference estimates and real plans.
//!
//! The set lies beside the repository (`../shared/cost`), not in it. Where it is missing these tests say so and pass:
//! everything that they show in general is shown by the other tests on plans of our own.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cost::{Estimator, Plan, Report, Usage};
use serde_json::Value;

/// The folder with the set, if it is there.
fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = root
        .map(|folder| folder.join("shared/cost"))
        .find(|folder| folder.join("acceptance/expected.jsonl").is_file());
    if found.is_none() {
        eprintln!("SKIPPED: ../shared/cost is not here, so the acceptance set is not priced");
    }
    found
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn report(estimator: &Estimator, plan: &Path, usage: &Path) -> Report {
    let plan = Plan::from_reader(std::fs::File::open(plan).unwrap()).unwrap();
    let usage = match std::fs::read_to_string(usage) {
        Ok(text) => Usage::parse(&text).unwrap(),
        Err(_) => Usage::default(),
    };
    Report::of(&estimator.estimate(&plan, &usage))
}

#[derive(Debug, Default)]
struct Score {
    judged: usize,
    right: usize,
    wrong: usize,
    components: usize,
    components_right: usize,
    unit_prices: usize,
    unit_prices_right: usize,
}

const NOT_JUDGED: [&str; 3] = [
    "price_not_found_in_reference",
    "not_in_plan",
    "reference_priced_in_other_region",
];

/// Scores as `score.py` does, without the resources that it judges apart.
fn score(folder: &Path, estimator: &Estimator) -> Score {
    let mut results: BTreeMap<(String, String), Value> = BTreeMap::new();
    for case in std::fs::read_dir(folder.join("acceptance/cases")).unwrap() {
        let case = case.unwrap().path();
        let name = case
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replacen("__", "/", 1);
        let report = report(estimator, &case.join("plan.json"), &case.join("usage.yml"));
        for resource in report.resources {
            let address = resource.resource_address.clone();
            results.insert(
                (name.clone(), address),
                serde_json::to_value(resource).unwrap(),
            );
        }
    }
    let mut score = Score::default();
    let expected = std::fs::read_to_string(folder.join("acceptance/expected.jsonl")).unwrap();
    for line in expected.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let flags: Vec<&str> = expected["flags"]
            .as_array()
            .map(|flags| flags.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let skipped = flags.iter().any(|flag| NOT_JUDGED.contains(flag))
            || expected["price_not_found"] == true;
        if skipped || !flags.is_empty() {
            continue;
        }
        let text = |name: &str| expected[name].as_str().unwrap().to_owned();
        judge(
            &mut score,
            &expected["expected"],
            results.get(&(text("case"), text("resource_address"))),
        );
    }
    score
}

fn judge(score: &mut Score, expected: &Value, result: Option<&Value>) {
    let components = expected["components"].as_array().unwrap();
    let amounts = |name: &str| -> Vec<f64> {
        components
            .iter()
            .filter_map(|part| part[name].as_f64())
            .collect()
    };
    let costs: Vec<f64> = amounts("monthly_cost")
        .into_iter()
        .filter(|cost| *cost != 0.0)
        .collect();
    let unused = components
        .iter()
        .filter(|part| part["monthly_cost"].is_null());
    let prices: Vec<f64> = unused
        .filter_map(|part| part["unit_price"].as_f64())
        .collect();
    score.judged += 1;
    score.components += costs.len();
    score.unit_prices += prices.len();
    let Some(result) = result else { return };
    let status = result["status"].as_str().unwrap();
    if matches!(status, "unsupported" | "price_missing" | "unknown") {
        return;
    }
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let got = number(&result["monthly_cost"]).unwrap_or(0.0);
    let tolerance = expected["tolerance_usd"].as_f64().unwrap() + 1e-9;
    if (got - expected["monthly_cost"].as_f64().unwrap()).abs() <= tolerance {
        score.right += 1;
    } else {
        score.wrong += 1;
    }
    let parts = result["components"].as_array().unwrap();
    let mut have: Vec<f64> = parts
        .iter()
        .filter_map(|part| number(&part["monthly_cost"]))
        .collect();
    for cost in costs {
        if let Some(at) = have
            .iter()
            .position(|one| (one - cost).abs() <= 0.0051 + 1e-5 * cost.abs())
        {
            have.remove(at);
            score.components_right += 1;
        }
    }
    let have: Vec<f64> = parts
        .iter()
        .filter_map(|part| number(&part["unit_price"]))
        .collect();
    let close = |price: &&f64| {
        have.iter()
            .any(|one| (one - **price).abs() <= 0.0051 * price.abs() + 1e-9)
    };
    score.unit_prices_right += prices.iter().filter(close).count();
}

#[test]
fn most_of_the_acceptance_set_is_right_and_almost_nothing_wrong() {
    let Some(folder) = shared() else { return };
    let score = score(&folder, &Estimator::embedded().unwrap());
    eprintln!("{score:?}");
    assert!(score.right * 100 >= score.judged * 85, "{score:?}");
    assert!(score.wrong * 100 <= score.judged, "{score:?}");
}

#[test]
fn without_derived_prices_less_is_answered_but_hardly_more_is_wrong() {
    let Some(folder) = shared() else { return };
    let mut estimator = Estimator::embedded().unwrap();
    let book = cost::Book::embedded().unwrap();
    estimator.book = std::sync::Arc::new(book.without_source(cost::DERIVED_SOURCE));
    let score = score(&folder, &estimator);
    eprintln!("without source G: {score:?}");
    assert!(score.wrong * 100 <= score.judged, "{score:?}");
}

/// Plans found in public repositories are read, or refused with a sentence; none of them panics.
#[test]
fn every_real_plan_is_read_or_refused() {
    let Some(folder) = shared() else { return };
    let estimator = Estimator::embedded().unwrap();
    let mut read = 0;
    for entry in std::fs::read_dir(folder.join("plans")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match Plan::from_reader(std::fs::File::open(&path).unwrap()) {
            Ok(plan) => {
                let estimate = estimator.estimate(&plan, &Usage::default());
                assert_eq!(
                    estimate.delta(),
                    estimate.proposed.monthly - estimate.prior.monthly
                );
                read += 1;
            }
            Err(error) => assert!(!error.to_string().is_empty(), "{}", path.display()),
        }
    }
    assert!(read > 80, "only {read} plans were read");
}

/// The costs that a reference gives for real plans and states are met within the cents that rounding loses.
///
/// Support of an outdated database engine is left out: it depends on the day, and the estimator has no clock.
#[test]
fn reference_totals_are_met() {
    let Some(folder) = shared() else { return };
    let estimator = Estimator::embedded().unwrap();
    let mut compared = 0;
    for entry in std::fs::read_dir(folder.join("plans/expected")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".expected.json") {
            continue;
        }
        let expected = read(&path);
        let usage = expected["usage_file"]
            .as_str()
            .and_then(|name| Path::new(name).file_name());
        let usage = folder
            .join("plans/expected")
            .join(usage.unwrap_or_else(|| "none".as_ref()));
        let plan = folder
            .join("plans")
            .join(expected["plan_file"].as_str().unwrap());
        compared += totals(&expected, &report(&estimator, &plan, &usage));
    }
    assert!(compared >= 40, "only {compared} resources were compared");
}

/// Compares resource by resource; gives how many were.
fn totals(expected: &Value, report: &Report) -> usize {
    let file = expected["plan_file"].as_str().unwrap();
    let all: BTreeMap<&str, &cost::ResourceReport> = report
        .resources
        .iter()
        .map(|resource| (resource.resource_address.as_str(), resource))
        .collect();
    let (mut compared, mut unanswered, mut wrong) = (0, Vec::new(), Vec::new());
    for resource in expected["breakdown"]["resources"].as_array().unwrap() {
        let address = resource["address"].as_str().unwrap();
        let parts = resource["components"].as_array().unwrap();
        let dated = |part: &&Value| {
            part["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("Extended support"))
        };
        let left_out: f64 = parts
            .iter()
            .filter(dated)
            .filter_map(|part| part["monthly_cost"].as_f64())
            .sum();
        let wanted = resource["monthly_cost"].as_f64().unwrap_or(0.0) - left_out;
        let found = all
            .get(address)
            .unwrap_or_else(|| panic!("{file}: {address} is missing"));
        match &found.monthly_cost {
            Some(got) => {
                let got: f64 = got.parse().unwrap();
                if (wanted - got).abs() > 0.011 * parts.len().max(1) as f64 {
                    wrong.push(format!("{file} {address}: {wanted} expected, {got}"));
                }
                compared += 1;
            }
            None => unanswered.push(address),
        }
    }
    eprintln!("{file}: {compared} compared, not answered: {unanswered:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    compared
}
