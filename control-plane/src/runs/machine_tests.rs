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
        gates: Gates::default(),
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

const fn planned(has_changes: bool) -> Event {
    gated(has_changes, NO_GATES)
}

const fn gated(has_changes: bool, gates: Gates) -> Event {
    Event::PlanFinished { has_changes, gates }
}

const NO_GATES: Gates = Gates {
    pre_plan: false,
    cost: false,
    policy: false,
    approvals: false,
};

const ALL_GATES: Gates = Gates {
    pre_plan: true,
    cost: true,
    policy: true,
    approvals: true,
};

const COSTED: Event = Event::CostEstimated {
    needs_approval: false,
    blocked: None,
};

const PLANNED: &[Event] = &[Event::Start, Event::PlanStarted, planned(true)];

fn gated_run() -> RunState {
    RunState {
        gates: ALL_GATES,
        ..new_run()
    }
}

/// Up to the policies that see the plan, everything else passed.
fn checking(run: &RunState) -> RunState {
    after(
        run,
        &[
            Event::Start,
            Event::PrePlanJudged(Judgement::Passed),
            Event::PlanStarted,
            gated(true, ALL_GATES),
            COSTED,
        ],
    )
}

#[test]
fn every_gate_is_passed_in_order_and_a_confirmed_run_waits_for_its_approvals() {
    let run = checking(&gated_run());
    assert_eq!(run.status, S::PolicyChecking);
    let checked = after(&run, &[Event::PlanJudged(Judgement::Passed)]);
    assert_eq!(checked.status, S::PolicyChecked);
    let waiting = after(&checked, &[Event::Confirm]);
    assert_eq!((waiting.status, waiting.apply), (S::Confirmed, P::Pending));
    assert!(step(&waiting, &Event::Start, start()).is_err());
    let approved = after(&waiting, &[Event::Approved]);
    assert_eq!(approved.status, S::ApplyQueued);
}

#[test]
fn an_approval_before_the_confirmation_counts() {
    let checked = after(
        &checking(&gated_run()),
        &[Event::PlanJudged(Judgement::Passed), Event::Approved],
    );
    assert_eq!(checked.status, S::PolicyChecked);
    assert_eq!(after(&checked, &[Event::Confirm]).status, S::ApplyQueued);
}

#[test]
fn a_soft_failure_waits_for_an_override_and_a_dry_run_ends_with_it() {
    let soft = Event::PlanJudged(Judgement::SoftFailed);
    let run = after(&checking(&gated_run()), std::slice::from_ref(&soft));
    assert_eq!(run.status, S::PolicyOverride);
    assert!(run.holds_workspace && !Actions::of(&run, start()).is_confirmable);
    assert_eq!(after(&run, &[Event::Overridden]).status, S::PolicyChecked);
    let dry = RunState {
        plan_only: true,
        ..gated_run()
    };
    assert_eq!(after(&checking(&dry), &[soft]).status, S::PolicySoftFailed);
}

#[test]
fn auto_apply_stops_at_every_gate() {
    let auto = RunState {
        auto_apply: true,
        ..gated_run()
    };
    let run = after(&checking(&auto), &[Event::PlanJudged(Judgement::Passed)]);
    assert_eq!(run.status, S::Confirmed);
    assert_eq!(after(&run, &[Event::Approved]).status, S::ApplyQueued);
}

#[test]
fn a_saved_plan_starts_only_when_it_is_confirmed_and_approved() {
    let saved = RunState {
        save_plan: true,
        ..gated_run()
    };
    let parked = after(&checking(&saved), &[Event::PlanJudged(Judgement::Passed)]);
    assert_eq!(parked.status, S::PlannedAndSaved);
    let confirmed = after(&parked, &[Event::Confirm]);
    assert!(step(&confirmed, &Event::Start, start()).is_err());
    let approved = after(&confirmed, &[Event::Approved]);
    assert_eq!(
        (approved.status, approved.holds_workspace),
        (S::Confirmed, false)
    );
    assert_eq!(after(&approved, &[Event::Start]).status, S::ApplyQueued);
}

#[test]
fn a_broken_limit_ends_the_run_with_its_reason() {
    let run = after(
        &gated_run(),
        &[
            Event::Start,
            Event::PrePlanJudged(Judgement::Passed),
            Event::PlanStarted,
            gated(true, ALL_GATES),
        ],
    );
    let blocked = Event::CostEstimated {
        needs_approval: false,
        blocked: Some("over the limit".into()),
    };
    let ended = step(&run, &blocked, start()).unwrap();
    assert_eq!(ended.next.status, S::Errored);
    assert_eq!(ended.error.as_deref(), Some("over the limit"));
}

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
        &[Event::Start, Event::PlanStarted, planned(false)],
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
        Event::PrePlanJudged(Judgement::Passed),
        Event::PrePlanJudged(Judgement::SoftFailed),
        Event::PrePlanJudged(Judgement::HardFailed { error: error() }),
        Event::Overridden,
        planned(true),
        planned(false),
        gated(true, ALL_GATES),
        gated(
            true,
            Gates {
                cost: false,
                ..ALL_GATES
            },
        ),
        COSTED,
        Event::CostEstimated {
            needs_approval: true,
            blocked: None,
        },
        Event::CostEstimated {
            needs_approval: false,
            blocked: Some(error()),
        },
        Event::PlanJudged(Judgement::Passed),
        Event::PlanJudged(Judgement::SoftFailed),
        Event::PlanJudged(Judgement::HardFailed { error: error() }),
        Event::Approved,
        Event::ApprovalMissing,
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
    any::<(bool, bool, bool, bool, bool, bool)>().prop_map(
        |(plan_only, save_plan, auto_apply, allow_empty_apply, needs_fetch, pre_plan)| RunState {
            gates: Gates {
                pre_plan,
                ..NO_GATES
            },
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
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other event answers no gate")]
    fn whatever_happens_the_promises_hold(
        run in any_run(),
        events in prop::collection::vec((any_event(), 0i64..20), 0..40),
    ) {
        let mut run = run;
        let mut now = start();
        let mut applies = 0;
        let mut asked = NO_GATES;
        let mut passed = NO_GATES;
        for (event, seconds) in events {
            now += TimeDelta::seconds(seconds);
            let Ok(Transition { next, effects, error }) = step(&run, &event, now) else { continue };
            // A final status is never left, and an apply never starts twice.
            if run.status.is_final() {
                prop_assert_eq!(next.status, run.status);
            }
            applies += effects.iter().filter(|it| **it == F::Enqueue(JobKind::Apply)).count();
            prop_assert!(applies <= 1);
            // No gate is skipped: what was asked for has answered before the apply is queued.
            match &event {
                Event::PlanFinished { gates, .. } => {
                    asked = Gates { pre_plan: run.gates.pre_plan, ..*gates };
                    passed = Gates { pre_plan: passed.pre_plan, ..NO_GATES };
                }
                Event::PrePlanJudged(Judgement::Passed) => passed.pre_plan = true,
                Event::CostEstimated { blocked: None, needs_approval } => {
                    passed.cost = true;
                    asked.approvals |= *needs_approval;
                }
                Event::PlanJudged(Judgement::Passed) => passed.policy = true,
                Event::Overridden if run.status == S::PrePlanAwaitingDecision => {
                    passed.pre_plan = true;
                }
                Event::Overridden => passed.policy = true,
                Event::Approved => passed.approvals = true,
                Event::ApprovalMissing => {
                    asked.approvals = true;
                    passed.approvals = false;
                }
                _ => {}
            }
            if next.status == S::ApplyQueued {
                prop_assert!(!asked.pre_plan || passed.pre_plan);
                prop_assert!(!asked.cost || passed.cost);
                prop_assert!(!asked.policy || passed.policy);
                prop_assert!(!asked.approvals || passed.approvals);
            }
            // A dry run never applies and never holds the workspace.
            prop_assert!(!(next.plan_only && (next.holds_workspace || applies > 0)));
            // Terraform changes state only under the workspace's lock.
            if matches!(next.status, S::Planning | S::PlanQueued) && run.gates.pre_plan {
                prop_assert!(passed.pre_plan);
            }
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
