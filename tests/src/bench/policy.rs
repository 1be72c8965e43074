//! What policies cost: from a plan's JSON to the verdicts of thirty policies.

use std::time::Instant;

use policy::input::{Input, Sanitiser};
use policy::worker::Worker;
use policy::{Circumstances, GroupSource, SourceFile};
use serde_json::json;
use workshop::Tree;

use super::Size;
use super::plans::plan;
use super::report::report;
use super::samples::Samples;
use crate::server::binaries;

/// How many of the examples are asked.
const POLICIES: usize = 30;

/// Parses, sanitises and evaluates plans of growing size, as a gate does.
pub async fn policy(size: Size) {
    let worker = Worker::new(binaries().join("terrane"));
    let source = examples(POLICIES);
    for resources in size.pick(&[100, 1_000, 10_000][..], &[100, 1_000][..]) {
        let name = format!("policy.{resources}_resources");
        let text = plan(*resources).to_string().into_bytes();
        let megabytes = text.len() as f64 / 1e6;
        report(&format!("{name}.plan"), megabytes, "MB", None);
        let (mut sanitised, mut parsed, mut evaluated) =
            (Samples::default(), Samples::default(), Samples::default());
        for _ in 0..size.pick(5, 2) {
            let began = Instant::now();
            let clean = Sanitiser::new(&[7; 32]).plan(&text).unwrap().to_string();
            sanitised.add(began.elapsed().as_secs_f64());
            let document = format!("{{\"tfplan\":{clean},\"tfrun\":{}}}", json!({}));
            let began = Instant::now();
            let input = Input::parse(&document).unwrap();
            parsed.add(began.elapsed().as_secs_f64());
            drop(input);
            let (worker, source) = (worker.clone(), source.clone());
            let began = Instant::now();
            let work =
                move || worker.evaluate(source, document.as_bytes(), Circumstances::default());
            let answer = tokio::task::spawn_blocking(work).await.unwrap().unwrap();
            evaluated.add(began.elapsed().as_secs_f64());
            assert_eq!(answer.verdicts.len(), POLICIES);
        }
        report(
            &format!("{name}.sanitise"),
            sanitised.percentile(50),
            "s",
            None,
        );
        report(&format!("{name}.parse"), parsed.percentile(50), "s", None);
        report(
            &format!("{name}.evaluate"),
            evaluated.percentile(50),
            "s",
            None,
        );
        // Of the largest worker so far, and they grow.
        report(
            &format!("{name}.worker_memory"),
            children_peak(),
            "MB",
            None,
        );
    }
}

/// The most memory that a finished child of this process had, in megabytes.
fn children_peak() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN);
    usage.map_or(0.0, |usage| usage.max_rss() as f64 * 1024.0 / 1e6)
}

/// So many of the example policies as one group.
pub(super) fn examples(count: usize) -> GroupSource {
    GroupSource {
        files: example_files(count)
            .into_iter()
            .map(|(path, text)| SourceFile::new(path, text))
            .collect(),
        ..GroupSource::default()
    }
}

/// The files of that group: a manifest, and one file for each policy.
pub(super) fn example_files(count: usize) -> Vec<(String, String)> {
    let folder = Tree::here().root.join("examples/policies");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| folder.join(name).join(format!("{name}.rego")).is_file())
        .collect();
    names.sort();
    names.truncate(count);
    let mut manifest = "version = \"v1\"\n".to_owned();
    let mut files = Vec::new();
    for name in names {
        manifest.push_str(&format!(
            "policy \"{name}\" {{\n  enabled = true\n  enforcement_level = \"advisory\"\n}}\n"
        ));
        let path = folder.join(&name).join(format!("{name}.rego"));
        files.push((
            format!("{name}.rego"),
            std::fs::read_to_string(path).unwrap(),
        ));
    }
    files.push(("terrane-policy.hcl".to_owned(), manifest));
    files
}
