//! What the core answers to what it hears.

use proptest::prelude::*;

use super::*;

const S: fn(u64) -> Moment = Duration::from_secs;

fn connected(id: ConnectionId) -> Event {
    Event::Connected {
        id,
        heartbeat: Some(S(8)),
        window: None,
    }
}

fn up(capacity: u32, jobs: &[&str]) -> Core {
    let jobs = jobs.iter().map(|job| ((*job).to_owned(), 1)).collect();
    let mut core = Core::new(capacity, jobs);
    assert_eq!(core.tick(S(0)), [Command::Connect { id: 1 }]);
    core.handle(S(0), connected(1), 0.5);
    core
}

#[test]
fn a_new_connection_is_used_and_leased_on() {
    let mut core = Core::new(2, BTreeMap::new());
    core.tick(S(0));
    let commands = core.handle(S(0), connected(1), 0.5);
    assert_eq!(
        commands,
        [Command::Use { id: 1 }, Command::Lease { id: 1, free: 2 }]
    );
    assert_eq!(core.deadline(), Some(S(8)));
}

#[test]
fn an_offer_is_taken_once_and_only_into_a_free_slot() {
    let mut core = up(1, &[]);
    let offer = |job: &str| Event::Offered {
        job: job.into(),
        epoch: 3,
    };
    let take = core.handle(S(1), offer("a"), 0.5);
    assert_eq!(
        take,
        [Command::Take {
            job: "a".into(),
            epoch: 3
        }]
    );
    assert_eq!(core.handle(S(1), offer("a"), 0.5), []);
    assert_eq!(core.handle(S(1), offer("b"), 0.5), []);
    core.handle(
        S(2),
        Event::Taken {
            job: "a".into(),
            epoch: 3,
            ok: true,
        },
        0.5,
    );
    assert_eq!(
        core.tick(S(2)),
        [Command::Heartbeat {
            sequence: 1,
            running: vec![RunningJob {
                job_id: "a".into(),
                epoch: 3
            }],
            free: 0
        }]
    );
}

#[test]
fn a_directive_for_another_epoch_is_dropped() {
    let mut core = up(1, &["a"]);
    let directive = |epoch| Event::Directive {
        job: "a".into(),
        epoch,
        wanted: Wanted::Cancel,
    };
    assert_eq!(core.handle(S(1), directive(2), 0.5), []);
    assert_eq!(
        core.handle(S(1), directive(1), 0.5),
        [Command::Direct {
            job: "a".into(),
            wanted: Wanted::Cancel
        }]
    );
}

#[test]
fn a_new_certificate_is_used_before_the_old_connection_goes() {
    let mut core = up(1, &["a"]);
    core.handle(S(1), Event::IdentityRenewed, 0.5);
    assert_eq!(core.tick(S(1)), [Command::Connect { id: 2 }]);
    assert!(core.is_connected());
    let commands = core.handle(S(2), connected(2), 0.5);
    assert_eq!(commands.first(), Some(&Command::Use { id: 2 }));
    assert_eq!(commands.last(), Some(&Command::Close { id: 1 }));
    assert_eq!(core.handle(S(3), Event::ConnectionLost { id: 1 }, 0.5), []);
    assert!(core.is_connected());
}

#[test]
fn a_lost_connection_is_made_again_and_jobs_stay() {
    let mut core = up(1, &["a"]);
    core.handle(S(40), Event::ConnectionLost { id: 1 }, 1.0);
    assert_eq!(core.deadline(), Some(S(42)));
    assert_eq!(core.tick(S(42)), [Command::Connect { id: 2 }]);
    assert_eq!(core.running().len(), 1);
}

#[test]
fn silence_ends_a_connection() {
    let mut core = up(1, &[]);
    let mut closed = false;
    for second in 1..60 {
        closed |= core.tick(S(second)).contains(&Command::Close { id: 1 });
    }
    assert!(closed);
}

#[test]
fn draining_ends_with_the_last_job() {
    let mut core = up(2, &["a"]);
    assert_eq!(core.handle(S(1), Event::DrainWanted, 0.5), []);
    assert_eq!(core.free(), 0);
    let ended = core.handle(S(2), Event::JobEnded { job: "a".into() }, 0.5);
    assert_eq!(ended, [Command::Exit { refused: false }]);
    assert_eq!(core.deadline(), None);
}

#[test]
fn a_revoked_runner_ends() {
    let mut core = Core::new(1, BTreeMap::new());
    core.tick(S(0));
    let event = Event::ConnectFailed { id: 1, fatal: true };
    assert_eq!(
        core.handle(S(0), event, 0.5),
        [Command::Exit { refused: true }]
    );
}

#[test]
fn a_revoked_runner_with_jobs_delivers_them_first() {
    let mut core = Core::new(1, BTreeMap::from([("a".to_owned(), 1)]));
    core.tick(S(0));
    assert_eq!(core.handle(S(0), Event::Revoked, 0.5), []);
    core.handle(
        S(0),
        Event::ConnectFailed {
            id: 1,
            fatal: false,
        },
        0.5,
    );
    core.tick(S(60));
    let commands = core.handle(S(60), connected(2), 0.5);
    assert_eq!(commands, [Command::Use { id: 2 }]);
    let offer = Event::Offered {
        job: "b".into(),
        epoch: 1,
    };
    assert_eq!(core.handle(S(61), offer, 0.5), []);
    let ended = core.handle(S(62), Event::JobEnded { job: "a".into() }, 0.5);
    assert_eq!(ended, [Command::Exit { refused: true }]);
}

fn event() -> impl Strategy<Value = Event> {
    let job = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("c".to_owned())
    ];
    let id = 1_u64..6;
    prop_oneof![
        id.clone().prop_map(connected),
        id.clone()
            .prop_map(|id| Event::ConnectFailed { id, fatal: false }),
        id.prop_map(|id| Event::ConnectionLost { id }),
        job.clone().prop_map(|job| Event::Offered { job, epoch: 1 }),
        (job.clone(), any::<bool>()).prop_map(|(job, ok)| Event::Taken { job, epoch: 1, ok }),
        job.clone().prop_map(|job| Event::Directive {
            job,
            epoch: 1,
            wanted: Wanted::Cancel
        }),
        job.prop_map(|job| Event::JobEnded { job }),
        Just(Event::IdentityRenewed),
        Just(Event::Drain { after: S(3) }),
    ]
}

proptest! {
    #[test]
    fn never_takes_too_much_and_never_stands_still(
        events in prop::collection::vec((0_u64..20, event()), 0..60),
    ) {
        let mut core = Core::new(2, BTreeMap::new());
        let mut now = S(0);
        let mut open = BTreeSet::new();
        for (wait, event) in events {
            now += S(wait);
            let mut commands = core.tick(now);
            // Only what can happen: an end or an answer for a connection that was asked for.
            let possible = match &event {
                Event::Connected { id, .. }
                | Event::ConnectFailed { id, .. }
                | Event::ConnectionLost { id } => open.contains(id),
                Event::Taken { job, .. } => core.taking.contains(job),
                Event::Offered { .. }
                | Event::HeartbeatAnswered { .. }
                | Event::Directive { .. }
                | Event::Drain { .. }
                | Event::IdentityRenewed
                | Event::Revoked
                | Event::JobEnded { .. }
                | Event::DrainWanted
                | Event::StopWanted => true,
            };
            if possible {
                commands.extend(core.handle(now, event, 0.5));
            }
            for command in &commands {
                if let Command::Connect { id } = command {
                    prop_assert!(open.insert(*id), "an id was used twice");
                }
            }
            prop_assert!(core.jobs.len() + core.taking.len() <= 2);
            let waits = core.deadline().is_some();
            let connecting = matches!(core.line, Line::Connecting { .. });
            prop_assert!(waits || connecting);
        }
    }
}
