//! A power cut at a random moment: the journal's newest state is whole, whatever the file is.

use std::time::Duration;

use step::{Liveness, files, liveness};

use crate::fixture::serial_of;
use crate::terraform::{self, Big};

const TRIES: u32 = 12;

#[test]
fn the_journal_is_whole_after_a_crash_at_any_moment() {
    let Some(terraform) = terraform::find() else {
        return;
    };
    let wanted = std::env::var_os("TERRANE_KILL_TRIES");
    let tries = wanted
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(TRIES);
    let big = Big::make(&terraform);
    let (mut empty, mut torn) = (0, 0);
    for attempt in 0..tries {
        let (fixture, spec) = big.grow(&terraform);
        let base = spec.state.as_ref().unwrap().base_serial;
        let running = fixture.start(&spec);
        running.until("a state is journalled", || {
            running.status().last_serial.is_some()
        });
        let command = running.command();
        // Not to wait for anything: the moment is what is tried.
        std::thread::sleep(Duration::from_millis(u64::from(
            attempt.wrapping_mul(397) % 2000,
        )));
        running.kill_everything(command);
        let (entry, _) = fixture.newest().expect("a journalled state");
        assert!(entry.serial > base);
        assert_ne!(liveness(fixture.path()).unwrap(), Liveness::Supervised);
        let bare = std::fs::read(fixture.path().join(files::STATE)).unwrap();
        match serial_of(&bare) {
            Some(_) => {}
            None if bare.is_empty() => empty += 1,
            None => torn += 1,
        }
    }
    eprintln!("{tries} crashes: terraform's own file was empty in {empty} and torn in {torn}");
}
