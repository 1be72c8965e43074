//! What Terrane adds to terraform, or takes away from it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Size;
use super::place::{Stage, options};
use super::report::report;
use super::samples::Samples;
use crate::{Answer, Api, Dev};

const LOOK: Duration = Duration::from_millis(10);
/// The longest that anything may take: bare terraform needs minutes for 5,000 resources.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Resources, and how often they are planned and applied.
const SIZES: [(u32, usize); 4] = [(1, 7), (100, 5), (1_000, 3), (5_000, 1)];
const QUICK_SIZES: [(u32, usize); 2] = [(1, 2), (100, 1)];

/// Measures each size, in turns with and without Terrane.
pub async fn overhead(size: Size) {
    let dev = Dev::start_with(options());
    let api = dev.api();
    // The first run of a runner looks for its terraform.
    let _ = through_terrane(&dev, &api, "warm-up", &configuration(1)).await;
    for (resources, times) in size.pick(&SIZES[..], &QUICK_SIZES[..]) {
        let main = configuration(*resources);
        let mut plans = (Samples::default(), Samples::default());
        let mut applies = (Samples::default(), Samples::default());
        for index in 0..*times {
            let name = format!("r{resources}-{index}");
            let (plan, apply) = through_terrane(&dev, &api, &name, &main).await;
            plans.0.add(plan.as_secs_f64());
            applies.0.add(apply.as_secs_f64());
            let (plan, apply) = bare(&main);
            plans.1.add(plan.as_secs_f64());
            applies.1.add(apply.as_secs_f64());
        }
        for (what, (ours, bare)) in [("plan", plans), ("apply", applies)] {
            let name = format!("overhead.{resources}_resources.{what}");
            let bare = bare.percentile(50);
            report(&name, ours.percentile(50), "s", Some(bare));
        }
    }
}

fn configuration(resources: u32) -> String {
    format!(
        "resource \"terraform_data\" \"a\" {{\n  count = {resources}\n  input = \"value-${{count.index}}\"\n}}\n"
    )
}

/// From the request that makes a run to its plan, and from the request that confirms it to its end.
async fn through_terrane(dev: &Dev, api: &Api, name: &str, main: &str) -> (Duration, Duration) {
    let stage = Stage::make(dev, name, json!({}), main).await;
    let began = Instant::now();
    let run = stage.run(json!({})).await;
    reached(api, &run, |it| {
        it.attribute("actions")["is-confirmable"] == true
    })
    .await;
    let planned = began.elapsed();
    let began = Instant::now();
    let path = format!("runs/{run}/actions/apply");
    let answer = api.post(&path, json!({})).await;
    assert!(answer.status < 300, "{answer:?}");
    reached(api, &run, |it| it.attribute("status") == "applied").await;
    (planned, began.elapsed())
}

async fn reached(api: &Api, run: &str, wanted: impl Fn(&Answer) -> bool) {
    let path = format!("runs/{run}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = api.get(&path).await.expect(200);
        if wanted(&found) {
            return;
        }
        let status = found.attribute("status");
        assert_ne!(status, "errored", "{found:?}");
        assert!(Instant::now() < deadline, "{run} is {status}");
        tokio::time::sleep(LOOK).await;
    }
}

/// `init` and `plan`, then `apply`, in a directory of their own.
fn bare(main: &str) -> (Duration, Duration) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.tf"), main).unwrap();
    let began = Instant::now();
    terraform(directory.path(), &["init", "-input=false"]);
    terraform(directory.path(), &["plan", "-input=false", "-out=tfplan"]);
    let planned = began.elapsed();
    let began = Instant::now();
    terraform(directory.path(), &["apply", "-input=false", "tfplan"]);
    (planned, began.elapsed())
}

fn terraform(directory: &Path, arguments: &[&str]) {
    let status = Command::new(testkit::programs::terraform())
        .args(arguments)
        .current_dir(directory)
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "terraform {arguments:?}");
}
