//! How long an impact analysis takes when nothing is known, and when one policy has changed.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::Size;
use super::place::Stage;
use super::policy::example_files;
use super::report::report;
use crate::api::archive;
use crate::{Api, Dev};

const POLICIES: usize = 30;
/// How much shorter an increment should be.
const TARGET: f64 = 20.0;
/// Planned by the runner at a time.
const AT_ONCE: usize = 4;

/// One changed policy of thirty on planned runs of as many workspaces.
pub async fn impact(size: Size) {
    let dev = Dev::start();
    let runs = size.pick(300, 10);
    let configuration = configuration(size.pick(50, 10));
    stream::iter(0..runs)
        .for_each_concurrent(AT_ONCE, |at| {
            let (dev, configuration) = (&dev, &configuration);
            async move {
                let name = format!("impact-{at}");
                let stage = Stage::make(dev, &name, json!({}), configuration).await;
                planned(&stage).await;
            }
        })
        .await;
    let api = dev.api();
    let mut files = example_files(POLICIES);
    let group = group(&api, &files).await;
    // A comment changes no verdict: what is measured is the work, not the result.
    let mut edit = |number: u32| {
        files[0].1.push_str(&format!("# edit {number}\n"));
        files.clone()
    };
    let cold = analyse(&api, &group, edit(1)).await;
    let increment = analyse(&api, &group, edit(2)).await;
    assert_eq!(cold.evaluated, runs * (POLICIES as u64 + 1));
    assert_eq!(increment.evaluated, runs);
    let name = format!("impact.{runs}_runs");
    report(&format!("{name}.cold"), cold.seconds, "s", None);
    report(&format!("{name}.incremental"), increment.seconds, "s", None);
    let ratio = cold.seconds / increment.seconds;
    report(&format!("{name}.times_faster"), ratio, "x", Some(TARGET));
    let seen = increment.seen;
    report(&format!("{name}.incremental_as_seen"), seen, "s", None);
}

/// So many resources that the policies have something to look at.
fn configuration(resources: u32) -> String {
    format!(
        "resource \"terraform_data\" \"a\" {{\n  count = {resources}\n  input = count.index\n}}\n"
    )
}

/// A run that waits for its confirmation.
async fn planned(stage: &Stage) {
    let run = stage.run(json!({})).await;
    let wanted = ["planned", "cost_estimated", "policy_checked"];
    stage.api.run_status(&run, &wanted).await;
}

/// A group of these files in force everywhere.
async fn group(api: &Api, files: &[(String, String)]) -> String {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let attributes = json!({"name": "measured", "is-enforced": true});
    api.policy_group(attributes, &files).await
}

/// What an analysis took.
struct Took {
    /// From its start to its end, by the server's clock.
    seconds: f64,
    /// With upload and check, as an author sees it.
    seen: f64,
    evaluated: u64,
}

async fn analyse(api: &Api, group: &str, files: Vec<(String, String)>) -> Took {
    let began = Instant::now();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let body = json!({"data": {"type": "policy-revisions", "attributes": {"proposed": true}}});
    let path = format!("policy-groups/{group}/revisions");
    let revision = api.post(&path, body).await.expect(201);
    let url = revision.attribute("upload-url").as_str().unwrap();
    let uploaded = api.put(url, archive(&files)).await;
    assert!(uploaded.status < 300, "{uploaded:?}");
    let body = json!({"data": {"type": "impact-analyses", "relationships": {
        "revision": {"data": {"type": "policy-revisions", "id": revision.id()}},
    }}});
    let path = format!("policy-groups/{group}/impact-analyses");
    let id = api.post(&path, body).await.expect(201).id();
    let path = format!("impact-analyses/{id}");
    let answer = loop {
        let answer = api.get(&path).await.expect(200);
        let status = answer.attribute("status").clone();
        assert_ne!(status, "errored", "{answer:?}");
        if status == "finished" {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let time = |name: &str| -> DateTime<Utc> {
        serde_json::from_value::<Value>(answer.attribute(name).clone())
            .ok()
            .and_then(|value| value.as_str()?.parse().ok())
            .unwrap()
    };
    let between = time("finished-at") - time("started-at");
    Took {
        seconds: between.as_seconds_f64(),
        seen: began.elapsed().as_secs_f64(),
        evaluated: answer.attribute("evaluated-count").as_u64().unwrap(),
    }
}
