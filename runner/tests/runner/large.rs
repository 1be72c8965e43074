//! Plans that turn out to be large.

use protocol::v1::complete_request::Outcome;
use protocol::v1::*;

use crate::jobs::{apply, job, planned, settings};
use crate::machine::Machine;
use crate::plane::Plane;

const MANY: &str = r#"
resource "terraform_data" "a" {
  count = 1200
  input = "x-${count.index}"
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_many_changes_is_made_again_over_http() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", MANY, settings()).await;
    let summary = done.plan.clone().unwrap();
    assert_eq!(
        (summary.additions, summary.state_mode.as_str()),
        (1200, "http")
    );
    plane.with("job-p", |held| {
        let text = held.log("text");
        assert_eq!(text.matches("Plan: 1200 to add").count(), 1, "{text}");
        let shown = "terraform_data.a[7] will be created";
        assert_eq!(text.matches(shown).count(), 1);
        let json = held.log("json");
        assert_eq!(json.matches("\"change_summary\"").count(), 1);
    });
    crate::jobs::gone(&machine, "job-p").await;

    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    let done = plane.completion("job-a").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(done.apply.unwrap().additions, 1200);
    let state = plane.with("job-a", |held| held.upload("state").unwrap().data.clone());
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    let instances = state["resources"][0]["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 1200);
}

/// The HTTP backend can't give `terraform.workspace`, and who asks for a mode gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_plan_stays_local_where_it_must() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let named = format!("{MANY}output \"w\" {{ value = terraform.workspace }}\n");
    let local = TerraformSettings {
        state_mode: "local".into(),
        ..settings()
    };
    for (id, config, settings) in [
        ("job-named", named.as_str(), settings()),
        ("job-local", MANY, local),
    ] {
        let (done, _) = planned(&plane, id, config, settings).await;
        let summary = done.plan.unwrap();
        assert_eq!(
            (summary.additions, summary.state_mode.as_str()),
            (1200, "local"),
            "{id}"
        );
    }
}
