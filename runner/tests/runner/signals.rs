//! What the control plane may want of a running job, certificates that are renewed meanwhile, and
//! jobs over TCP.

use std::time::Duration;

use protocol::v1::complete_request::Outcome;
use protocol::v1::job_directive::Kind;

use crate::jobs::{SLOW, apply, gone, job, planned, settings};
use crate::machine::Machine;
use crate::plane::Plane;

/// Ignores the one polite request: its provisioner does not end by itself for a long time.
const STUBBORN: &str = r#"
resource "terraform_data" "first" { input = "1" }
resource "terraform_data" "slow" {
  input = terraform_data.first.id
  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    command     = "trap '' INT TERM; i=0; while [ $i -lt 600 ]; do sleep 1; i=$((i + 1)); done"
  }
}
"#;

/// Starts an apply and waits until it is in the middle.
async fn mid_apply(plane: &Plane, config: &str) {
    let (done, archive) = planned(plane, "job-p", config, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_cancel_ends_what_does_not_stop() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    mid_apply(&plane, STUBBORN).await;
    plane.direct("job-a", Kind::ForceCancel);
    let done = plane.completion("job-a").await;
    // What was being made when it was killed may exist without being recorded.
    assert_eq!(done.outcome(), Outcome::StateUncertain, "{}", done.error);
    plane.with("job-a", |held| {
        let state = held.upload("state").unwrap();
        let text = String::from_utf8_lossy(&state.data).into_owned();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        assert!(
            state.head.final_state && text.contains("\"first\""),
            "{text}"
        );
    });
    gone(&machine, "job-a").await;
    assert!(machine.processes("job-a").is_empty());
}

/// The lease belongs to someone else: the step is stopped, what it has is brought home.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_job_stops_and_brings_its_state_home() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    mid_apply(&plane, SLOW).await;
    plane.direct("job-a", Kind::Release);
    let done = plane.completion("job-a").await;
    assert_eq!(done.outcome(), Outcome::Canceled, "{}", done.error);
    plane.with("job-a", |held| {
        let state = held.upload("state").unwrap();
        let text = String::from_utf8_lossy(&state.data).into_owned();
        assert!(
            text.contains("\"first\"") && !text.contains("\"last\""),
            "{text}"
        );
    });
    gone(&machine, "job-a").await;
}

/// A report that is refused is kept, with everything there is, until the control plane forgets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_apply_is_kept_until_it_is_forgotten() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    mid_apply(&plane, SLOW).await;
    plane.shared.jobs.lock().get_mut("job-a").unwrap().refuses = true;
    plane
        .until("the refused report", "job-a", |held| held.refused > 0)
        .await;
    assert!(machine.job("job-a").join("step").is_dir());
    assert!(plane.with("job-a", |held| held.upload("state").is_some()));
    plane.direct("job-a", Kind::Forget);
    gone(&machine, "job-a").await;
}

/// A runner is revoked just when its apply ends: what is refused over the old connection is kept, and
/// comes home over the one that it gets for deliveries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_revoked_runner_could_not_deliver_comes_home_later() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    mid_apply(&plane, SLOW).await;
    *plane.shared.revoked.lock() = true;
    plane
        .until("the refused state", "job-a", |held| held.denied > 0)
        .await;
    assert!(machine.job("job-a").join("step").is_dir());
    assert!(plane.with("job-a", |held| held.completed.is_none()));

    let kept = plane.stop().await;
    let plane = Plane::again(kept);
    plane.completion("job-a").await;
    plane.with("job-a", |held| {
        let state = held.upload("state").unwrap();
        let text = String::from_utf8_lossy(&state.data);
        assert!(
            state.head.final_state && text.contains("\"last\""),
            "{text}"
        );
    });
    gone(&machine, "job-a").await;
    assert_eq!(*plane.shared.recovered.lock(), 1);
}

/// Certificates that live for seconds are renewed over the live connection: a job that runs for
/// several of their lives goes on as if nothing happened, and no identity has to be recovered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_renewed_while_a_job_runs() {
    let plane = Plane::start().await;
    *plane.shared.certificate_life.lock() = chrono::TimeDelta::seconds(4);
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    mid_apply(&plane, SLOW).await;
    let before = *plane.shared.renewed.lock();
    let renewed = async {
        while *plane.shared.renewed.lock() < before + 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), renewed)
        .await
        .unwrap();
    let done = plane.completion("job-a").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    let text = plane.with("job-a", |held| held.log("text"));
    assert_eq!(text.matches("Apply complete!").count(), 1, "{text}");
    let first = "terraform_data.first: Creating...";
    assert_eq!(text.matches(first).count(), 1, "{text}");
    assert_eq!(*plane.shared.recovered.lock(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_over_tcp_survives_a_restart_of_both() {
    let plane = Plane::start().await;
    let Some(mut machine) = Machine::start_with(&plane, &["--transport", "tcp"]) else {
        return;
    };
    mid_apply(&plane, SLOW).await;
    machine.kill();
    let kept = plane.stop().await;
    let plane = Plane::again(kept);
    machine.run();
    let done = plane.completion("job-a").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    let text = plane.with("job-a", |held| held.log("text"));
    assert_eq!(text.matches("Apply complete!").count(), 1, "{text}");
    let state = plane.with("job-a", |held| held.upload("state").unwrap().head.clone());
    assert!(state.final_state);
}
