//! The loopback backend under the real terraform.

use step::{Command, Outcome, StateMode, files};

use crate::fixture::{Fixture, command};
use crate::terraform;

#[test]
fn a_plan_and_its_apply_go_through_the_backend() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let fixture = Fixture::new();
    terraform::with_http_state(
        &fixture,
        "resource \"terraform_data\" \"r\" {\n  count = 300\n}\n",
    );
    let mut commands = terraform::commands(&terraform, &[]);
    let path = terraform.to_str().unwrap();
    commands[1] = command(
        "plan",
        &[path, "plan", "-json", "-input=false", "-out=tfplan"],
    );
    let apply = command("apply", &[path, "apply", "-json", "-input=false", "tfplan"]);
    commands.push(Command {
        writes_state: true,
        ..apply
    });
    let mut spec = fixture.spec(commands);
    spec.state.as_mut().unwrap().mode = StateMode::Http;
    let running = fixture.start(&spec);
    running.until("the port is told", || running.status().state_port.is_some());
    let exit = running.exit();
    assert_eq!(
        exit.outcome,
        Outcome::Succeeded,
        "{exit:?} {}",
        fixture.read("output/apply.stdout")
    );
    let (entry, state) = fixture.newest().unwrap();
    assert_eq!(Some(entry), exit.last_state);
    assert_eq!(
        state,
        std::fs::read(fixture.path().join(files::STATE)).unwrap()
    );
    assert!(exit.state_whole);
}

#[test]
fn a_cancelled_apply_hands_its_state_over_at_once() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let fixture = Fixture::new();
    terraform::with_http_state(&fixture, terraform::SLOW);
    let mut spec = fixture.spec(terraform::commands(&terraform, &[]));
    spec.state.as_mut().unwrap().mode = StateMode::Http;
    let running = fixture.start(&spec);
    running.until("it provisions", || {
        fixture
            .read("output/apply.stdout")
            .contains("\"provision_start\"")
    });
    running.request(files::CANCEL);
    let exit = running.exit();
    assert_eq!(exit.outcome, Outcome::Canceled);
    let (_, state) = fixture.newest().unwrap();
    let state = String::from_utf8(state).unwrap();
    assert!(
        state.contains("\"v2\"") && state.contains("tainted"),
        "{state}"
    );
}

#[test]
fn what_the_backend_refuses_terraform_puts_aside_and_the_journal_takes() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let fixture = Fixture::new();
    terraform::with_http_state(&fixture, "resource \"terraform_data\" \"r\" {}\n");
    let mut spec = fixture.spec(terraform::commands(&terraform, &[]));
    let state = spec.state.as_mut().unwrap();
    state.mode = StateMode::Http;
    // Higher than what a new state begins with.
    state.base_serial = 50;
    let exit = fixture.start(&spec).exit();
    assert_eq!(exit.outcome, Outcome::Failed);
    assert!(exit.last_state.is_none());
    let (entry, state) = fixture.open(files::ERRORED_ENTRY, files::ERRORED_SEALED);
    assert_eq!(Some(entry), exit.errored_state);
    assert!(String::from_utf8(state).unwrap().contains("terraform_data"));
}
