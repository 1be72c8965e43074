//! Prices an acceptance set: `acceptance CASES_DIR RESULTS.jsonl [RULES_DIR] [--without SOURCE]`.

use std::io::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let without = arguments
        .iter()
        .position(|word| word == "--without")
        .map(|at| {
            arguments.remove(at);
            arguments.remove(at)
        });
    let mut estimator = cost::Estimator::embedded()?;
    if let Some(source) = without {
        estimator.book = std::sync::Arc::new(cost::Book::embedded()?.without_source(&source));
    }
    if let Some(folder) = arguments.get(2) {
        let mut rules = cost::Rules::default();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let text = std::fs::read_to_string(&path)?;
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.ends_with(".rules") {
                rules.add(&name, &text)?;
            } else {
                rules.add_free(&text);
            }
        }
        estimator.rules = std::sync::Arc::new(rules);
    }
    let mut out = std::io::BufWriter::new(std::fs::File::create(&arguments[1])?);
    for entry in std::fs::read_dir(Path::new(&arguments[0]))? {
        let folder = entry?.path();
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replacen("__", "/", 1);
        let plan = cost::Plan::from_reader(std::io::BufReader::new(std::fs::File::open(
            folder.join("plan.json"),
        )?))?;
        let usage = match std::fs::read_to_string(folder.join("usage.yml")) {
            Ok(text) => cost::Usage::parse(&text)?,
            Err(_) => cost::Usage::default(),
        };
        let report = cost::Report::of(&estimator.estimate(&plan, &usage));
        for resource in report.resources {
            let mut value = serde_json::to_value(resource)?;
            value["case"] = name.clone().into();
            writeln!(out, "{value}")?;
        }
    }
    Ok(())
}
