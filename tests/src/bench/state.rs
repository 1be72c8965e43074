//! How long a large state takes to be taken, and what memory that needs.

use std::time::Instant;

use md5::{Digest, Md5};
use serde_json::json;

use super::place::{SMALL, Stage, alone};
use super::report::report;
use super::samples::Samples;
use super::{Size, machine};
use crate::Dev;

const LINEAGE: &str = "5f0c7d3e-0000-4000-8000-be9c4a7e57a7";
/// Seconds for the largest one.
const TARGET: (u32, f64) = (100, 2.0);

/// Uploads states of growing size, as the CLI does.
pub async fn state(size: Size) {
    let dev = Dev::start_with(alone());
    for megabytes in size.pick(&[1, 10, 100][..], &[1, 10][..]) {
        let name = format!("state-{megabytes}");
        let stage = Stage::make(&dev, &name, json!({}), SMALL).await;
        let (mut times, mut memory) = (Samples::default(), Samples::default());
        for serial in 1..=size.pick(5, 2) {
            let state = made_up(*megabytes, serial);
            machine::forget_peak(dev.facts.pid);
            let before = machine::resident(dev.facts.pid);
            times.add(upload(&stage, state, serial).await);
            memory.add(machine::peak(dev.facts.pid) - before);
        }
        let target = (*megabytes == TARGET.0).then_some(TARGET.1);
        let name = format!("state.{megabytes}_mb");
        report(&format!("{name}.upload"), times.percentile(50), "s", target);
        let most = memory.percentile(100);
        report(&format!("{name}.server_memory_added"), most, "MB", None);
    }
}

/// Announces the state and sends it; the seconds until it is the current one.
async fn upload(stage: &Stage, state: Vec<u8>, serial: u64) -> f64 {
    let api = &stage.api;
    let path = |rest: &str| format!("workspaces/{}/{rest}", stage.workspace);
    let reason = json!({"reason": "benchmark"});
    api.post(&path("actions/lock"), reason).await.expect(200);
    let md5 = hex::encode(Md5::digest(&state));
    let attributes = json!({"serial": serial, "lineage": LINEAGE, "md5": md5});
    let body = json!({"data": {"type": "state-versions", "attributes": attributes}});
    let began = Instant::now();
    let version = api.post(&path("state-versions"), body).await.expect(201);
    let url = version
        .attribute("hosted-state-upload-url")
        .as_str()
        .unwrap();
    let uploaded = api.put(url, state).await;
    let took = began.elapsed().as_secs_f64();
    assert!(uploaded.status < 300, "{uploaded:?}");
    let current = api.serial(&stage.workspace).await;
    assert_eq!(current, i64::try_from(serial).ok());
    api.post(&path("actions/unlock"), json!({}))
        .await
        .expect(200);
    took
}

/// A state of about so many megabytes, of resources of half a kilobyte each.
fn made_up(megabytes: u32, serial: u64) -> Vec<u8> {
    use std::fmt::Write;
    let size = usize::try_from(megabytes).unwrap() * 1_000_000;
    let mut state = format!(
        "{{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\",\n  \"serial\": {serial},\n  \
         \"lineage\": \"{LINEAGE}\",\n  \"outputs\": {{}},\n  \"check_results\": null,\n  \
         \"resources\": [\n"
    );
    let mut index = 0_u64;
    while state.len() < size {
        let comma = if index == 0 { "" } else { "," };
        // Values that hardly compress, as ids, names and hashes don't.
        let noise = hex::encode(Md5::digest(index.to_le_bytes()));
        let _ = writeln!(
            state,
            "{comma}    {{\"mode\": \"managed\", \"type\": \"terraform_data\", \"name\": \"r{index}\", \
             \"provider\": \"provider[\\\"terraform.io/builtin/terraform\\\"]\", \"instances\": [\
             {{\"schema_version\": 0, \"sensitive_attributes\": [], \"attributes\": {{\"id\": \"{noise}\", \
             \"input\": {{\"type\": \"string\", \"value\": \"{noise}{noise}\"}}, \
             \"output\": {{\"type\": \"string\", \"value\": \"{noise}{noise}\"}}, \
             \"triggers_replace\": null}}}}]}}"
        );
        index += 1;
    }
    state.push_str("  ]\n}\n");
    state.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_state_is_json_of_the_size() {
        let state = made_up(1, 7);
        let value: serde_json::Value = serde_json::from_slice(&state).unwrap();
        assert_eq!(value["serial"], 7);
        assert!((1_000_000..1_010_000).contains(&state.len()));
    }
}
