//! Whole jobs.

use std::time::Duration;

use protocol::v1::complete_request::Outcome;
use protocol::v1::job_directive::Kind;
use protocol::v1::*;

use crate::machine::{Machine, signal};
use crate::plane::Plane;

const HELLO: &str = r#"
terraform {
  cloud {
    organization = "x"
    workspaces { name = "y" }
  }
}
variable "password" {}
variable "list" { type = list(string) }
resource "terraform_data" "a" {
  input = "${terraform.workspace} ${join(",", var.list)}"
}
resource "terraform_data" "secret" {
  input = var.password
}
output "ws" { value = terraform.workspace }
output "secret" { value = terraform_data.secret.output }
"#;

/// Slow enough to be met in the middle: one resource after the other.
pub(crate) const SLOW: &str = r#"
resource "terraform_data" "first" { input = "1" }
resource "terraform_data" "slow" {
  input = terraform_data.first.id
  provisioner "local-exec" { command = "sleep 4" }
}
resource "terraform_data" "last" { input = terraform_data.slow.id }
"#;

pub(crate) fn slug(files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn variable(key: &str, value: &str, hcl: bool, sensitive: bool) -> Variable {
    Variable {
        key: key.into(),
        value: value.into(),
        hcl,
        sensitive,
        ..Variable::default()
    }
}

pub(crate) fn settings() -> TerraformSettings {
    TerraformSettings {
        engine: "terraform".into(),
        version: "latest".into(),
        variables: vec![
            variable("password", "hunter2-hunter2", false, true),
            variable("list", r#"["one", "two"]"#, true, false),
            variable("undeclared", "x", false, false),
        ],
        refresh: true,
        current_serial: -1,
        ..TerraformSettings::default()
    }
}

pub(crate) fn job(id: &str, work: job::Work) -> Job {
    let kind = match &work {
        job::Work::Fetch(_) => "fetch",
        job::Work::Plan(_) => "plan",
        job::Work::Apply(_) => "apply",
    };
    Job {
        id: id.into(),
        epoch: 1,
        kind: kind.into(),
        run_id: "run-1".into(),
        workspace_name: "net".into(),
        environment_name: "prod".into(),
        account_id: "acc-1".into(),
        journal_public_key: public_key().into(),
        journal_key_id: "jk-1".into(),
        work: Some(work),
        ..Job::default()
    }
}

/// The X25519 base point: a valid public key, and nobody opens what is sealed here.
fn public_key() -> Vec<u8> {
    let mut key = vec![0; 32];
    key[0] = 9;
    key
}

pub(crate) fn plan(settings: TerraformSettings) -> job::Work {
    job::Work::Plan(PlanWork {
        terraform: Some(settings),
    })
}

pub(crate) fn apply(settings: TerraformSettings, planned: &CompleteRequest) -> job::Work {
    job::Work::Apply(ApplyWork {
        terraform: Some(settings),
        plan_state_mode: planned.plan.as_ref().unwrap().state_mode.clone(),
        terraform_version: planned.terraform_version.clone(),
    })
}

pub(crate) async fn planned(
    plane: &Plane,
    id: &str,
    config: &str,
    settings: TerraformSettings,
) -> (CompleteRequest, Vec<u8>) {
    plane.queue(
        job(id, plan(settings)),
        &[("configuration", slug(&[("main.tf", config)]))],
    );
    let done = plane.completion(id).await;
    let log = plane.with(id, |held| held.log("text"));
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}\n{log}", done.error);
    let archive = plane.with(id, |held| held.upload("plan-archive").unwrap().data.clone());
    (done, archive)
}

pub(crate) async fn gone(machine: &Machine, id: &str) {
    for _ in 0..3000 {
        if !machine.job(id).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the directory of {id} is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_and_its_apply() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    plan_and_apply(&plane, &machine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_and_its_apply_in_docker() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::with_docker(&plane) else {
        return;
    };
    plan_and_apply(&plane, &machine).await;
}

async fn plan_and_apply(plane: &Plane, machine: &Machine) {
    let (done, archive) = planned(plane, "job-plan", HELLO, settings()).await;
    let summary = done.plan.clone().unwrap();
    assert!(summary.has_changes);
    assert_eq!(
        (summary.additions, summary.state_mode.as_str()),
        (2, "local")
    );
    assert!(!done.terraform_version.is_empty());
    plane.with("job-plan", |held| {
        let text = held.log("text");
        assert!(text.starts_with("Terraform v"), "{text}");
        assert_eq!(
            text.lines().nth(2),
            Some("Initializing plugins and modules...")
        );
        assert!(text.contains("terraform_data.a will be created"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("undeclared"), "{text}");
        let json = held.log("json");
        let lines: Vec<_> = json.lines().skip(3).collect();
        assert!(lines.iter().all(|it| it.starts_with('{')), "{json}");
        assert!(json.contains("\"planned_change\""), "{json}");
        assert!(!json.contains("hunter2"), "{json}");
        assert!(held.upload("plan-json").is_some());
        let redacted = held.upload("plan-json-redacted").unwrap();
        assert!(
            !String::from_utf8_lossy(&redacted.data).contains("hunter2"),
            "redacted"
        );
    });
    gone(machine, "job-plan").await;

    plane.queue(
        job("job-apply", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    let done = plane.completion("job-apply").await;
    plane.with("job-apply", |held| {
        let text = held.log("text");
        assert_eq!(done.outcome(), Outcome::Succeeded, "{}\n{text}", done.error);
        assert_eq!(done.apply.as_ref().unwrap().additions, 2);
        assert!(
            text.contains("Apply complete! Resources: 2 added"),
            "{text}"
        );
        assert!(text.contains("ws = \"net\""), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let state = held.upload("state").unwrap();
        assert!(state.head.final_state);
        let state: serde_json::Value = serde_json::from_slice(&state.data).unwrap();
        assert_eq!(state["outputs"]["ws"]["value"], "net");
    });
    gone(machine, "job-apply").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let broken = slug(&[("main.tf", "resource \"x\" {")]);
    plane.queue(
        job("job-broken", plan(settings())),
        &[("configuration", broken)],
    );
    let version = TerraformSettings {
        version: "0.0.7".into(),
        ..settings()
    };
    plane.queue(
        job("job-version", plan(version)),
        &[("configuration", slug(&[("a.tf", "")]))],
    );
    let hostile = slug(&[("a.tf", "")]);
    let place = TerraformSettings {
        working_directory: "../x".into(),
        ..settings()
    };
    plane.queue(job("job-place", plan(place)), &[("configuration", hostile)]);
    for (id, said) in [
        ("job-broken", ""),
        ("job-version", "--terraform-mirror"),
        ("job-place", "working"),
    ] {
        let done = plane.completion(id).await;
        assert_eq!(done.outcome(), Outcome::Failed, "{id}");
        assert!(done.error.contains(said), "{id}: {}", done.error);
        let text = plane.with(id, |held| held.log("text"));
        assert!(text.contains("rror: "), "{id}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_is_canceled_and_its_state_is_whole() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", SLOW, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
    plane.direct("job-a", Kind::Cancel);
    let done = plane.completion("job-a").await;
    assert_eq!(done.outcome(), Outcome::Canceled, "{}", done.error);
    let state = plane.with("job-a", |held| held.upload("state").unwrap().data.clone());
    let state = String::from_utf8(state).unwrap();
    assert!(
        state.contains("\"first\"") && !state.contains("\"last\""),
        "{state}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_runner_adopts_its_step() {
    let plane = Plane::start().await;
    let Some(mut machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", SLOW, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
    machine.kill();
    assert!(!machine.processes("job-a").is_empty(), "the step goes on");
    machine.run();
    let done = plane.completion("job-a").await;
    plane.with("job-a", |held| {
        let text = held.log("text");
        assert_eq!(done.outcome(), Outcome::Succeeded, "{}\n{text}", done.error);
        assert_eq!(
            text.matches("Apply complete! Resources: 3 added").count(),
            1,
            "{text}"
        );
        assert_eq!(
            text.matches("terraform_data.first: Creating...").count(),
            1,
            "{text}"
        );
        assert!(held.upload("state").unwrap().head.final_state);
    });
    gone(&machine, "job-a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_runner_leaves_its_step_and_takes_it_up_again() {
    let plane = Plane::start().await;
    let Some(mut machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", SLOW, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
    assert_eq!(machine.terminate(), Some(0));
    assert!(!machine.processes("job-a").is_empty(), "the step goes on");
    machine.run();
    assert_eq!(
        plane.completion("job-a").await.outcome(),
        Outcome::Succeeded
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_killed_at_once_is_recovered() {
    let plane = Plane::start().await;
    let Some(mut machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", SLOW, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
    machine.kill();
    for pid in machine.processes("job-a") {
        signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
    machine.run();
    let done = plane.completion("job-a").await;
    assert_eq!(done.outcome(), Outcome::StateUncertain, "{}", done.error);
    plane.with("job-a", |held| {
        let state = held.upload("state").unwrap();
        assert!(state.head.recovery && state.head.final_state);
        assert!(String::from_utf8_lossy(&state.data).contains("\"first\""));
    });
    gone(&machine, "job-a").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_goes_on_while_the_gateway_is_away() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", SLOW, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
    let kept = plane.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let plane = Plane::again(kept);
    let done = plane.completion("job-a").await;
    let text = plane.with("job-a", |held| held.log("text"));
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(text.matches("Apply complete!").count(), 1, "{text}");
    assert_eq!(
        text.matches("terraform_data.first: Creating...").count(),
        1,
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_exchanged() {
    let plane = Plane::start().await;
    *plane.shared.certificate_life.lock() = chrono::TimeDelta::seconds(2);
    let Some(mut machine) = Machine::start(&plane) else {
        return;
    };
    for _ in 0..3000 {
        if machine.data.path().join("identity.json").exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    machine.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    machine.run();
    let (done, _) = planned(&plane, "job-p", HELLO, settings()).await;
    assert!(done.plan.is_some());
    assert!(*plane.shared.recovered.lock() >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_over_the_http_backend_continues_a_state() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let http = TerraformSettings {
        state_mode: "http".into(),
        ..settings()
    };
    let (done, archive) = planned(&plane, "job-p1", SLOW, http.clone()).await;
    assert_eq!(done.plan.as_ref().unwrap().state_mode, "http");
    plane.queue(
        job("job-a1", apply(http.clone(), &done)),
        &[("plan-archive", archive)],
    );
    let done = plane.completion("job-a1").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    let state = plane.with("job-a1", |held| held.upload("state").unwrap().clone());
    assert!(state.head.final_state && !state.head.recovery);
    assert_eq!(state.head.md5_hex.len(), 32);

    let next = TerraformSettings {
        current_serial: state.head.serial,
        current_lineage: state.head.lineage.clone(),
        current_state_bytes: state.data.len() as u64,
        destroy: true,
        ..http
    };
    let work = plan(next.clone());
    let config = slug(&[("main.tf", SLOW)]);
    plane.queue(
        job("job-p2", work),
        &[("configuration", config), ("state", state.data.clone())],
    );
    let done = plane.completion("job-p2").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(done.plan.as_ref().unwrap().destructions, 3);
    let archive = plane.with("job-p2", |it| {
        it.upload("plan-archive").unwrap().data.clone()
    });
    let downloads = [("plan-archive", archive), ("state", state.data)];
    plane.queue(job("job-a2", apply(next, &done)), &downloads);
    let done = plane.completion("job-a2").await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert_eq!(done.apply.unwrap().destructions, 3);
    let last = plane.with("job-a2", |held| held.upload("state").unwrap().head.clone());
    assert!(last.serial > state.head.serial);
    assert_eq!(last.lineage, state.head.lineage);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_runner_finishes_what_runs() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    let (done, archive) = planned(&plane, "job-p", SLOW, settings()).await;
    plane.queue(
        job("job-a", apply(settings(), &done)),
        &[("plan-archive", archive)],
    );
    plane
        .until("the slow one", "job-a", |it| {
            it.log("text").contains("Provisioning with")
        })
        .await;
    let data = machine.data.path().to_owned();
    let drained = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_terrane-runner"))
            .args(["drain", "--data-dir"])
            .arg(data)
            .env_clear()
            .status()
            .unwrap()
    });
    assert!(drained.await.unwrap().success());
    let done = plane.with("job-a", |held| held.completed.clone());
    assert_eq!(done.unwrap().outcome(), Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_module_comes_through_the_relay() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    modules(&plane).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_module_comes_through_the_relay_into_a_container() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::with_docker(&plane) else {
        return;
    };
    modules(&plane).await;
}

async fn modules(plane: &Plane) {
    let config = r#"
module "one" {
  source  = "registry.example/ns/one/aws"
  version = "1.0.0"
}
output "v" { value = module.one.v }
"#;
    let settings = TerraformSettings {
        api_host: "registry.example".into(),
        ..settings()
    };
    let (_, _) = planned(plane, "job-p", config, settings).await;
    let text = plane.with("job-p", |held| held.log("text"));
    assert!(text.contains("from the module"), "{text}");
}
