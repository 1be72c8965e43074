//! Freeze, check, kill.

use step::{Outcome, files};

use crate::fixture::{Fixture, serial_of, shell};
use crate::terraform::{self, Big};

#[test]
fn a_forced_kill_leaves_a_whole_large_state() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let big = Big::make(&terraform);
    for _ in 0..3 {
        let (fixture, spec) = big.grow(&terraform);
        let running = fixture.start(&spec);
        running.until("a state is journalled", || {
            running.status().last_serial.is_some()
        });
        running.request(files::KILL);
        let exit = running.exit();
        assert_eq!(exit.outcome, Outcome::Killed, "{exit:?}");
        assert!(exit.state_whole, "{exit:?}");
        let state = std::fs::read(fixture.path().join(files::STATE)).unwrap();
        let serial = serial_of(&state).expect("a whole state");
        let (entry, journalled) = fixture.newest().unwrap();
        assert_eq!((entry.serial, journalled == state), (serial, true));
    }
}

#[test]
fn a_kill_takes_everything() {
    let fixture = Fixture::new();
    let script = "trap '' INT TERM HUP; setsid sh -c 'echo $$ > ../tmp/pid; exec sleep 900' & \
                  while true; do sleep 0.05; done";
    let running = fixture.start(&fixture.spec(vec![shell("deaf", script)]));
    running.until("the orphan is there", || {
        !fixture.read("tmp/pid").is_empty()
    });
    running.request(files::KILL);
    let exit = running.exit();
    assert_eq!(
        (exit.outcome, exit.commands[0].code),
        (Outcome::Killed, 137)
    );
    let pid = fixture.read("tmp/pid").trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    assert_eq!(
        rustix::process::test_kill_process(pid),
        Err(rustix::io::Errno::SRCH)
    );
}
