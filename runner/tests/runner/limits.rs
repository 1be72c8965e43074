//! Limits of a step as processes of this machine: memory, processes, CPU.

use std::path::PathBuf;

use protocol::v1::complete_request::Outcome;
use protocol::v1::*;

use crate::jobs::{apply, job, planned, settings};
use crate::machine::Machine;
use crate::plane::Plane;

const MEMORY: u64 = 400 << 20;

/// An apply whose only resource runs `script`.
async fn applying(plane: &Plane, name: &str, script: &str) -> CompleteRequest {
    let config = format!(
        "resource \"terraform_data\" \"a\" {{\n  provisioner \"local-exec\" {{\n    command = <<-E\n      {script}\n    E\n  }}\n}}\n"
    );
    let (done, archive) = planned(plane, &format!("job-p-{name}"), &config, settings()).await;
    let mut work = job(&format!("job-a-{name}"), apply(settings(), &done));
    work.execution = Some(ExecutionSettings {
        memory_bytes: MEMORY,
        process_limit: 200,
        cpu_millis: 1500,
        ..ExecutionSettings::default()
    });
    plane.queue(work, &[("plan-archive", archive)]);
    plane.completion(&format!("job-a-{name}")).await
}

/// The directories of a process's groups of version 1, or its one of version 2.
fn groups_of(pid: u32) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let found = list.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let path = path.trim_start_matches('/');
        if !path.contains("terrane-") {
            return None;
        }
        let mount = PathBuf::from("/sys/fs/cgroup");
        let first = controllers.split(',').next()?;
        Some(mount.join(first).join(path))
    });
    found.filter(|path| path.is_dir()).collect()
}

fn is_written(groups: &[PathBuf], files: &[&str], value: &str) -> bool {
    groups.iter().any(|group| {
        files.iter().any(|file| {
            std::fs::read_to_string(group.join(file)).is_ok_and(|text| text.trim() == value)
        })
    })
}

/// Whether this machine lets the runner make groups; said aloud where not.
fn has_groups(plane: &Plane) -> bool {
    let hellos = plane.shared.hellos.lock();
    let capabilities = hellos.iter().find_map(|it| it.capabilities.as_ref());
    let has = capabilities.is_some_and(|it| it.sandbox.iter().any(|layer| layer == "cgroup"));
    if !has {
        crate::machine::skip("a runner that may make cgroups (root)");
    }
    has
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_has_a_group_of_its_own_with_its_limits() {
    let plane = Plane::start().await;
    let Some(machine) = Machine::start(&plane) else {
        return;
    };
    let applied = applying(&plane, "limits", "sleep 3");
    let mut seen = Vec::new();
    let watched = async {
        loop {
            let groups = machine
                .processes("job-a-limits")
                .into_iter()
                .map(groups_of)
                .find(|groups| !groups.is_empty());
            if let Some(groups) = groups {
                let kept = is_written(
                    &groups,
                    &["memory.limit_in_bytes", "memory.max"],
                    &MEMORY.to_string(),
                ) && is_written(&groups, &["pids.max"], "216")
                    && (is_written(&groups, &["cpu.cfs_quota_us"], "150000")
                        || is_written(&groups, &["cpu.max"], "150000 100000"));
                if kept {
                    return groups;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let mut applied = Box::pin(applied);
    let done = tokio::select! {
        done = &mut applied => done,
        groups = watched => {
            seen = groups;
            applied.await
        }
    };
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    if !has_groups(&plane) {
        return;
    }
    assert!(!seen.is_empty(), "the step was in no group with its limits");
    crate::jobs::gone(&machine, "job-a-limits").await;
    assert!(seen.iter().all(|group| !group.exists()), "{seen:?}");
}

/// Grows slowly: the step is asked to stop before the kernel has to end anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_nears_its_memory_limit_is_canceled() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let script = "{ while :; do head -c 4000000 /dev/zero; sleep 0.05; done; } | tail";
    let done = applying(&plane, "slow", script).await;
    assert_eq!(done.outcome(), Outcome::Failed, "{}", done.error);
    assert!(done.error.contains("memory"), "{}", done.error);
    assert!(!done.out_of_memory, "{}", done.error);
    plane.with("job-a-slow", |held| assert!(held.upload("state").is_some()));
}

/// Grows at once: the kernel ends it, nothing else of the machine does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_can_not_have_more_memory_than_its_limit() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let done = applying(&plane, "fast", "tail /dev/zero").await;
    if !has_groups(&plane) {
        return;
    }
    assert_ne!(done.outcome(), Outcome::Succeeded, "{}", done.error);
    assert!(done.error.contains("memory"), "{}", done.error);
}

/// Providers must find their services: name servers, names of hosts, certificate authorities.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_can_read_how_names_are_resolved() {
    let plane = Plane::start().await;
    let Some(_machine) = Machine::start(&plane) else {
        return;
    };
    let script = "cat /etc/hosts /etc/resolv.conf && ls /etc/ssl/certs && getent hosts localhost";
    let done = applying(&plane, "names", script).await;
    assert_eq!(done.outcome(), Outcome::Succeeded, "{}", done.error);
}
