//! A runner whose disk fills up.

use protocol::v1::complete_request::Outcome;

use crate::jobs::{apply, gone, job, planned, settings};
use crate::machine::Machine;
use crate::plane::Plane;

/// The second resource takes all the room there is, and keeps trying.
const GREEDY: &str = r#"
resource "terraform_data" "first" { input = "1" }
resource "terraform_data" "greedy" {
  input = terraform_data.first.id
  provisioner "local-exec" {
    command = "i=0; while [ $i -lt 600 ]; do dd if=/dev/zero of=filler-$i bs=1M count=600 2>/dev/null; sleep 0.1; i=$((i + 1)); done"
  }
}
resource "terraform_data" "last" { input = terraform_data.greedy.id }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_step_and_not_its_state() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::on_small_disk(&plane, 300) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", GREEDY, settings()).await;
    gone(&machine, "job-p").await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    let done = plane.completion("job-a").await;
    assert_ne!(done.outcome(), Outcome::Succeeded);
    assert!(done.error.contains("disk"), "{}", done.error);
    plane.with("job-a", |held| {
        let state = held.upload("state").unwrap();
        let text = String::from_utf8_lossy(&state.data).into_owned();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        assert!(
            text.contains("\"first\"") && !text.contains("\"last\""),
            "{text}"
        );
        assert!(
            held.log("text")
                .contains("terraform_data.first: Creation complete")
        );
    });
    gone(&machine, "job-a").await;
    // The room is free again, and so is the runner.
    let next = "resource \"terraform_data\" \"a\" {}";
    let (done, _) = planned(&plane, "job-next", next, settings()).await;
    assert_eq!(done.plan.unwrap().additions, 1);
}
