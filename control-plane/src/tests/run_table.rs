//! The run machine as a table in `docs/runs.md`, made by asking it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::TimeDelta;
use domain::run::{PhaseStatus, RunStatus};

use super::documents;
use crate::clock::Timestamp;
use crate::runs::machine::{Event, Gates, Judgement, RunState, step};

const TEST: &str = "the_run_machine_is_documented";

/// What stands above the table.
const HEAD: &str = include_str!("runs_head.md");

/// Runs that differ in all that the machine decides on.
fn states(status: RunStatus, now: Timestamp) -> Vec<RunState> {
    let mut states = Vec::new();
    for bits in 0_u32..1 << 12 {
        let bit = |at: u32| bits & (1 << at) != 0;
        let state = RunState {
            status,
            plan: PhaseStatus::Finished,
            apply: PhaseStatus::Pending,
            plan_only: bit(0),
            save_plan: bit(1),
            auto_apply: bit(2),
            allow_empty_apply: bit(3),
            needs_fetch: bit(4),
            gates: Gates {
                pre_plan: bit(5),
                cost: bit(6),
                policy: bit(7),
                approvals: bit(8),
            },
            has_changes: bit(9),
            holds_workspace: true,
            state_uncertain: bit(10),
            cancel_requested_at: bit(11).then(|| now - TimeDelta::minutes(1)),
            out_of_contact: false,
        };
        // A run is never a dry run and a saved plan at once.
        if !(state.plan_only && state.save_plan) {
            states.push(state);
        }
    }
    states
}

fn events(gates: Gates) -> Vec<Event> {
    let error = || "…".to_owned();
    let hard = || Judgement::HardFailed { error: error() };
    vec![
        Event::Start,
        Event::FetchFinished,
        Event::FetchFailed { error: error() },
        Event::PrePlanJudged(Judgement::Passed),
        Event::PrePlanJudged(Judgement::SoftFailed),
        Event::PrePlanJudged(hard()),
        Event::PlanStarted,
        Event::PlanFinished {
            has_changes: true,
            gates,
        },
        Event::PlanFinished {
            has_changes: false,
            gates,
        },
        Event::PlanFailed { error: error() },
        Event::PlanCanceled,
        Event::PlanLost,
        Event::CostEstimated {
            needs_approval: false,
            blocked: None,
        },
        Event::CostEstimated {
            needs_approval: false,
            blocked: Some(error()),
        },
        Event::PlanJudged(Judgement::Passed),
        Event::PlanJudged(Judgement::SoftFailed),
        Event::PlanJudged(hard()),
        Event::Overridden,
        Event::Approved,
        Event::ApprovalMissing,
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
    ]
}

fn table() -> String {
    let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
    let mut text = String::from(HEAD);
    for status in RunStatus::ALL.iter().copied() {
        let mut next: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
        for state in states(status, now) {
            for event in events(state.gates) {
                if let Ok(step) = step(&state, &event, now) {
                    next.entry(event.name())
                        .or_default()
                        .insert(step.next.status.as_str());
                }
            }
        }
        for (event, statuses) in next {
            let statuses: Vec<String> = statuses.iter().map(|it| format!("`{it}`")).collect();
            let _ = writeln!(text, "| `{status}` | {event} | {} |", statuses.join(", "));
        }
    }
    text
}

#[test]
fn the_run_machine_is_documented() {
    documents::check("runs.md", &table(), TEST);
}
