//! A step from its begin to its end, and what survives what.

use rustix::process::{Signal, kill_process, test_kill_process};
use step::{Command, Limits, Liveness, Outcome, files, liveness};

use crate::fixture::{Fixture, SUPERVISOR, shell, skip};
use crate::terraform;

#[test]
fn commands_run_in_order_until_one_fails() {
    let fixture = Fixture::new();
    let commands = vec![
        Command {
            success: vec![0, 2],
            ..shell("plan", "echo out; echo err >&2; exit 2")
        },
        Command {
            optional: true,
            ..shell("maybe", "kill -9 $$")
        },
        Command {
            stdout: Some("plan.json".into()),
            ..shell("show", "echo $TF_IN_AUTOMATION$SECRET")
        },
        shell("fails", "exit 7"),
        shell("never", "true"),
    ];
    let exit = fixture.start(&fixture.spec(commands)).exit();
    assert_eq!(exit.outcome, Outcome::Failed);
    let codes: Vec<(&str, i32)> = exit
        .commands
        .iter()
        .map(|command| (command.name.as_str(), command.code))
        .collect();
    assert_eq!(
        codes,
        [("plan", 2), ("maybe", 137), ("show", 0), ("fails", 7)]
    );
    assert!(
        exit.message
            .unwrap()
            .contains("fails ended with exit code 7")
    );
    assert_eq!(fixture.read("output/plan.stdout"), "out\n");
    assert_eq!(fixture.read("output/plan.stderr"), "err\n");
    assert_eq!(fixture.read("plan.json"), "1\n");
    assert!(exit.state_whole && exit.last_state.is_none());
    assert_eq!(liveness(fixture.path()).unwrap(), Liveness::Gone);
}

#[test]
fn a_step_is_never_begun_again() {
    let fixture = Fixture::new();
    let spec = fixture.spec(vec![shell("once", "echo once >> ../tmp/count")]);
    assert_eq!(fixture.start(&spec).exit().outcome, Outcome::Succeeded);
    let again = std::process::Command::new(SUPERVISOR)
        .arg(fixture.path())
        .status()
        .unwrap();
    assert_eq!(again.code(), Some(2));
    assert_eq!(fixture.read("tmp/count"), "once\n");
}

#[test]
fn without_room_nothing_is_begun() {
    let fixture = Fixture::new();
    let mut spec = fixture.spec(vec![shell("never", "true")]);
    spec.limits = Limits {
        required_free_bytes: u64::MAX,
        ..Limits::default()
    };
    let exit = fixture.start(&spec).exit();
    assert_eq!(exit.outcome, Outcome::Failed);
    assert!(exit.commands.is_empty());
    assert!(exit.message.unwrap().contains("room"));
}

#[test]
fn what_can_not_be_started_is_told() {
    let fixture = Fixture::new();
    let mut missing = shell("missing", "true");
    missing.argv[0] = "/no/such/program".into();
    let exit = fixture.start(&fixture.spec(vec![missing])).exit();
    assert_eq!(
        (exit.outcome, exit.commands[0].code),
        (Outcome::Failed, 127)
    );
    assert!(exit.message.unwrap().contains("/no/such/program"));
}

#[test]
fn output_is_cut_at_its_limit() {
    let fixture = Fixture::new();
    let mut spec = fixture.spec(vec![shell("loud", "head -c 3000000 /dev/zero")]);
    spec.limits.output_bytes = 1000;
    let exit = fixture.start(&spec).exit();
    assert!(exit.commands[0].output_capped);
    let output = std::fs::read(fixture.path().join("output/loud.stdout")).unwrap();
    assert_eq!(output.len(), 1000 + step::OUTPUT_CAP_MARKER.len());
}

#[test]
fn nothing_a_command_started_outlives_it() {
    let fixture = Fixture::new();
    let script = "setsid sh -c 'echo $$ > ../tmp/pid; exec sleep 900' & \
                  while ! [ -s ../tmp/pid ]; do sleep 0.05; done";
    let exit = fixture
        .start(&fixture.spec(vec![shell("daemon", script)]))
        .exit();
    assert_eq!(exit.outcome, Outcome::Succeeded);
    let pid = fixture.read("tmp/pid").trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    assert_eq!(test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    assert_eq!(liveness(fixture.path()).unwrap(), Liveness::Gone);
}

#[test]
fn a_hangup_is_nothing_and_a_dead_supervisor_leaves_an_apply_alone() {
    let fixture = Fixture::new();
    let apply = Command {
        writes_state: true,
        ..shell(
            "apply",
            "while ! [ -e ../tmp/end ]; do sleep 0.05; done; echo whole",
        )
    };
    let running = fixture.start(&fixture.spec(vec![apply]));
    running.command();
    kill_process(running.supervisor(), Signal::HUP).unwrap();
    assert_eq!(liveness(fixture.path()).unwrap(), Liveness::Supervised);
    kill_process(running.supervisor(), Signal::KILL).unwrap();
    running.until("it is orphaned", || {
        liveness(fixture.path()).unwrap() == Liveness::Orphaned
    });
    fixture.write("tmp/end", "");
    running.until("it is gone", || {
        liveness(fixture.path()).unwrap() == Liveness::Gone
    });
    assert_eq!(fixture.read("output/apply.stdout"), "whole\n");
}

#[test]
fn an_apply_is_journalled() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let fixture = Fixture::new();
    terraform::with_local_state(
        &fixture,
        "resource \"terraform_data\" \"r\" {\n  count = 40\n}\n",
    );
    let exit = fixture
        .start(&fixture.spec(terraform::commands(&terraform, &[])))
        .exit();
    assert_eq!(
        exit.outcome,
        Outcome::Succeeded,
        "{exit:?} {}",
        fixture.read("output/apply.stdout")
    );
    let (entry, state) = fixture.newest().unwrap();
    assert_eq!(Some(&entry), exit.last_state.as_ref());
    assert_eq!(
        state,
        std::fs::read(fixture.path().join(files::STATE)).unwrap()
    );
    assert_eq!(
        state,
        std::fs::read(fixture.path().join(files::SNAPSHOT)).unwrap()
    );
    let snapshot = step::read_json(&fixture.path().join(files::SNAPSHOT_ENTRY)).unwrap();
    assert_eq!(snapshot, Some(entry));
    assert!(exit.state_whole && exit.refused_state.is_none());
}

#[test]
fn another_lineage_is_refused_and_said() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let fixture = Fixture::new();
    terraform::with_local_state(&fixture, "resource \"terraform_data\" \"r\" {}\n");
    let mut spec = fixture.spec(terraform::commands(&terraform, &[]));
    spec.state.as_mut().unwrap().lineage = Some("another".into());
    let exit = fixture.start(&spec).exit();
    assert!(exit.last_state.is_none());
    assert!(exit.refused_state.unwrap().contains("lineage"));
}

#[test]
fn bubblewrap_holds_a_step() {
    let bwrap = std::path::PathBuf::from("/usr/bin/bwrap");
    if !bwrap.exists() {
        return skip("bubblewrap is not installed");
    }
    let fixture = Fixture::new();
    let script = "ls -d /proc/[0-9]* | wc -l; ls /tmp /root 2>/dev/null; id -u; true";
    let mut spec = fixture.spec(vec![shell("inside", script)]);
    if crate::fixture::is_root() {
        (spec.sandbox.uid, spec.sandbox.gid) = (Some(65534), Some(65534));
    }
    spec.sandbox.landlock = true;
    spec.sandbox.seccomp = true;
    let wrapped = step::Bubblewrap {
        program: bwrap,
        supervisor: SUPERVISOR.into(),
        step_directory: fixture.path().to_owned(),
        read_only: vec![],
        read_write: vec![],
        cgroup: None,
        no_network: true,
    };
    let exit = fixture.start_as(&spec, &wrapped.argv()).exit();
    assert_eq!(exit.outcome, Outcome::Succeeded, "{exit:?}");
    let output = fixture.read("output/inside.stdout");
    let processes: usize = output.lines().next().unwrap().trim().parse().unwrap();
    assert!(processes < 10, "{output}");
}

#[test]
fn the_first_process_of_a_namespace_reaps_and_hears_signals() {
    if !crate::fixture::is_root() {
        return skip("a pid namespace can't be made without being root");
    }
    let fixture = Fixture::new();
    let script = "echo $PPID; for i in 1 2 3; do sh -c 'sh -c \"exit 3\" & exit' ; done; \
                  trap 'exit 9' INT; touch ../tmp/ready; while true; do sleep 0.05; done";
    let spec = fixture.spec(vec![shell("inside", script)]);
    let unshare = [
        "/usr/bin/unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        SUPERVISOR,
    ];
    let mut argv: Vec<std::ffi::OsString> = unshare.map(Into::into).to_vec();
    argv.push(fixture.path().into());
    let running = fixture.start_as(&spec, &argv);
    running.until("it is ready", || fixture.path().join("tmp/ready").exists());
    let outside = running.supervisor().as_raw_nonzero();
    let child = std::fs::read_to_string(format!("/proc/{outside}/task/{outside}/children"));
    let first = rustix::process::Pid::from_raw(child.unwrap().trim().parse().unwrap()).unwrap();
    kill_process(first, Signal::TERM).unwrap();
    let pid = fixture.read("output/inside.stdout");
    assert_eq!(pid, "1\n");
    let exit = running.exit();
    assert_eq!(
        (exit.outcome, exit.commands[0].code),
        (Outcome::Canceled, 9)
    );
}
