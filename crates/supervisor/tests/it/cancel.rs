//! One interrupt, never two; what was finished is kept.

use rustix::process::{Signal, kill_process};
use step::{Command, Outcome, files};

use crate::fixture::{Fixture, shell};
use crate::terraform;

const COUNTS: &str = "trap 'echo int >> ../tmp/ints' INT; echo ready > ../tmp/ready; \
                      while ! [ -e ../tmp/end ]; do sleep 0.05; done";

#[test]
fn however_often_it_is_asked_there_is_one_interrupt() {
    let fixture = Fixture::new();
    let spec = fixture.spec(vec![shell("counts", COUNTS), shell("never", "true")]);
    let running = fixture.start(&spec);
    running.until("it is ready", || fixture.path().join("tmp/ready").exists());
    kill_process(running.supervisor(), Signal::TERM).unwrap();
    running.until("it was interrupted", || {
        !fixture.read("tmp/ints").is_empty()
    });
    kill_process(running.supervisor(), Signal::TERM).unwrap();
    kill_process(running.supervisor(), Signal::INT).unwrap();
    running.request(files::CANCEL);
    running.until("the status tells", || running.status().cancelling);
    fixture.write("tmp/end", "");
    let exit = running.exit();
    assert_eq!(fixture.read("tmp/ints"), "int\n");
    assert_eq!((exit.outcome, exit.commands.len()), (Outcome::Canceled, 1));
}

#[test]
fn a_cancelled_apply_keeps_what_it_finished() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let fixture = Fixture::new();
    terraform::with_local_state(&fixture, terraform::SLOW);
    let running = fixture.start(&fixture.spec(terraform::commands(&terraform, &[])));
    running.until("it provisions", || {
        fixture
            .read("output/apply.stdout")
            .contains("\"provision_start\"")
    });
    running.request(files::CANCEL);
    let exit = running.exit();
    assert_eq!(exit.outcome, Outcome::Canceled);
    assert!(exit.state_whole);
    let output = fixture.read("output/apply.stdout");
    assert!(!output.contains("Two interrupts"), "{output}");
    let (_, state) = fixture.newest().unwrap();
    let state = String::from_utf8(state).unwrap();
    for value in ["\"v0\"", "\"v1\"", "\"v2\"", "tainted"] {
        assert!(state.contains(value), "{value} is not in {state}");
    }
    assert!(!state.contains("\"after\""), "{state}");
}

#[test]
fn the_time_limit_cancels_and_an_endless_plan_is_killed() {
    let fixture = Fixture::new();
    let deaf = "trap '' INT; echo $$ > ../tmp/pid; while true; do sleep 0.05; done";
    let mut spec = fixture.spec(vec![shell("plan", deaf)]);
    spec.limits.timeout_seconds = 1;
    spec.limits.kill_after_seconds = 1;
    let exit = fixture.start(&spec).exit();
    assert!(exit.timed_out);
    assert_eq!(
        (exit.outcome, exit.commands[0].code),
        (Outcome::Killed, 137)
    );
}

#[test]
fn too_much_memory_cancels_in_time() {
    let fixture = Fixture::new();
    // Holds some 60 MB in a variable.
    let script = "trap 'exit 1' INT; x=$(head -c 60000000 /dev/zero | tr '\\0' x); \
                  while true; do sleep 0.05; done; echo $x";
    let apply = Command {
        writes_state: true,
        ..shell("apply", script)
    };
    let mut spec = fixture.spec(vec![apply]);
    spec.limits.memory_bytes = 50_000_000;
    let running = fixture.start(&spec);
    let exit = running.exit();
    assert_eq!(exit.outcome, Outcome::Failed);
    assert!(exit.message.unwrap().contains("memory"));
}
