//! The run machine under random events, and the promises one by one.

use proptest::prelude::*;

use super::*;

fn start() -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
}

fn new_run() -> RunState {
    RunState {
        status: S::Pending,
        plan: P::Pending,
        apply: P::Pending,
        plan_only: false,
        save_plan: false,
        auto_apply: false,
        allow_empty_apply: false,
        needs_fetch: false,
        has_changes: false,
        holds_workspace: false,
        state_uncertain: false,
        cancel_requested_at: None,
        out_of_contact: false,
    }
}

fn after(run: &RunState, events: &[Event]) -> RunState {
    events.iter().fold(run.clone(), |run, event| {
        step(&run, event, start())
            .unwrap_or_else(|error| panic!("{error}"))
            .next
    })
}

const PLANNED: &[Event] = &[
    Event::Start,
    Event::PlanStarted,
    Event::PlanFinished { has_changes: true },
];

#[test]
fn a_finished_plan_is_confirmable_in_the_same_step() {
    let run = after(&new_run(), PLANNED);
    assert_eq!((run.status, run.plan), (S::Planned, P::Finished));
    assert!(Actions::of(&run, start()).is_confirmable);
}

#[test]
fn no_changes_end_the_run_and_give_the_workspace_back() {
    let run = after(
        &new_run(),
        &[
            Event::Start,
            Event::PlanStarted,
            Event::PlanFinished { has_changes: false },
        ],
    );
    assert_eq!(
        (run.status, run.apply),
        (S::PlannedAndFinished, P::Unreachable)
    );
    assert!(!run.holds_workspace);
}

#[test]
fn auto_apply_goes_on_without_a_question() {
    let run = after(
        &RunState {
            auto_apply: true,
            ..new_run()
        },
        PLANNED,
    );
    assert_eq!((run.status, run.apply), (S::ApplyQueued, P::Queued));
}

#[test]
fn a_saved_plan_holds_the_workspace_only_once_confirmed() {
    let saved = after(
        &RunState {
            save_plan: true,
            ..new_run()
        },
        PLANNED,
    );
    assert_eq!(
        (saved.status, saved.holds_workspace),
        (S::PlannedAndSaved, false)
    );
    let applying = after(&saved, &[Event::Confirm, Event::Start]);
    assert_eq!(
        (applying.status, applying.holds_workspace),
        (S::ApplyQueued, true)
    );
}

#[test]
fn an_uncertain_apply_keeps_the_workspace_until_it_is_resolved() {
    let uncertain = after(
        &after(&new_run(), PLANNED),
        &[
            Event::Confirm,
            Event::ApplyStarted,
            Event::ApplyUncertain {
                error: "gone".into(),
            },
        ],
    );
    assert_eq!(uncertain.status, S::Errored);
    assert!(uncertain.holds_workspace && uncertain.state_uncertain);
    let resolved = after(&uncertain, &[Event::Resolve]);
    assert!(!resolved.holds_workspace && !resolved.state_uncertain);
}

#[test]
fn force_cancel_waits_for_its_cool_off() {
    let run = after(
        &after(&new_run(), PLANNED),
        &[Event::Confirm, Event::ApplyStarted, Event::Cancel],
    );
    assert!(step(&run, &Event::ForceCancel, start()).is_err());
    let later = start() + FORCE_CANCEL_AFTER;
    assert_eq!(
        step(&run, &Event::ForceCancel, later).unwrap().effects,
        [F::ForceCancelJob]
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    let error = || "it broke".to_owned();
    prop::sample::select(vec![
        Event::Start,
        Event::FetchFinished,
        Event::FetchFailed { error: error() },
        Event::PlanStarted,
        Event::PlanFinished { has_changes: true },
        Event::PlanFinished { has_changes: false },
        Event::PlanFailed { error: error() },
        Event::PlanCanceled,
        Event::PlanLost,
        Event::Confirm,
        Event::ApplyStarted,
        Event::ApplyFinished,
        Event::ApplyFailed { error: error() },
        Event::ApplyCanceled,
        Event::ApplyUncertain { error: error() },
        Event::Cancel,
        Event::ForceCancel,
        Event::Discard,
        Event::PlanStale,
        Event::Resolve,
    ])
}

fn any_run() -> impl Strategy<Value = RunState> {
    any::<(bool, bool, bool, bool, bool)>().prop_map(
        |(plan_only, save_plan, auto_apply, allow_empty_apply, needs_fetch)| RunState {
            plan_only,
            save_plan,
            auto_apply,
            allow_empty_apply,
            needs_fetch,
            ..new_run()
        },
    )
}

/// Events that end any run sooner or later, in the order in which they are tried.
fn way_out() -> Vec<Event> {
    let error = "ended".to_owned();
    vec![
        Event::Discard,
        Event::Cancel,
        Event::PlanCanceled,
        Event::ApplyCanceled,
        Event::FetchFailed { error },
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_promises_hold(
        run in any_run(),
        events in prop::collection::vec((any_event(), 0i64..20), 0..40),
    ) {
        let mut run = run;
        let mut now = start();
        let mut applies = 0;
        for (event, seconds) in events {
            now += TimeDelta::seconds(seconds);
            let Ok(Transition { next, effects, error }) = step(&run, &event, now) else { continue };
            // A final status is never left, and an apply never starts twice.
            if run.status.is_final() {
                prop_assert_eq!(next.status, run.status);
            }
            applies += effects.iter().filter(|it| **it == F::Enqueue(JobKind::Apply)).count();
            prop_assert!(applies <= 1);
            // A dry run never applies and never holds the workspace.
            prop_assert!(!(next.plan_only && (next.holds_workspace || applies > 0)));
            // Terraform changes state only under the workspace's lock.
            if matches!(next.status, S::ApplyQueued | S::Applying) {
                prop_assert!(next.holds_workspace);
            }
            // Holding changes only with its effect.
            let took = effects.contains(&F::TakeWorkspace);
            let released = effects.contains(&F::ReleaseWorkspace);
            prop_assert_eq!(next.holds_workspace, (run.holds_workspace || took) && !released);
            // Final runs let go, unless their state is uncertain; log streams always end.
            if next.status.is_final() {
                prop_assert_eq!(next.holds_workspace, next.state_uncertain);
                prop_assert!(next.plan.is_final() && next.apply.is_final());
            }
            prop_assert_eq!(error.is_some(), next.status == S::Errored && run.status != S::Errored);
            run = next;
        }
        // There is always a way to an end.
        for _ in 0..4 {
            for event in way_out() {
                if run.status.is_final() { break }
                if let Ok(step) = step(&run, &event, now) { run = step.next }
            }
        }
        prop_assert!(run.status.is_final(), "stuck in {}", run.status);
    }
}
