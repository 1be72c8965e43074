//! The whole life of a run on one screen: a pure function from a run's state and what happened to
//! the next state and the effects to perform. Everything else (API, gateway, timers) only turns what
//! happened into an [`Event`].
//!
//! A run's status, its plan's and apply's statuses change together, and the store writes them in one
//! statement: the Terraform CLI looks once between a plan's end and its question, and exits 0
//! without applying if it sees them half changed (TFE contract, section 0).

use chrono::TimeDelta;
use domain::job::JobKind;
use domain::run::{PhaseStatus, RunStatus};

use crate::clock::Timestamp;

/// What the machine decides on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    pub status: RunStatus,
    pub plan: PhaseStatus,
    pub apply: PhaseStatus,
    /// Never applied, never holds the workspace: a dry run.
    pub plan_only: bool,
    /// Parks after its plan and takes the workspace only when it is confirmed.
    pub save_plan: bool,
    pub auto_apply: bool,
    pub allow_empty_apply: bool,
    /// The configuration has to be fetched first.
    pub needs_fetch: bool,
    pub gates: Gates,
    pub has_changes: bool,
    pub holds_workspace: bool,
    /// An apply ended without a known state: held until it is recovered or a person resolves it.
    pub state_uncertain: bool,
    pub cancel_requested_at: Option<Timestamp>,
    /// The apply's runner has been silent past its deadline.
    pub out_of_contact: bool,
}

/// What stands between a run and its next phase. Which policies are asked before the plan is settled
/// when the run is made, because the CLI looks for that stage at once; the rest when its plan ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gates {
    /// Policies that see the run before its plan.
    pub pre_plan: bool,
    pub cost: bool,
    /// Policies that see the plan.
    pub policy: bool,
    /// Somebody else has to approve, and has not yet.
    pub approvals: bool,
}

/// What a policy check says of the run as a whole: its strictest verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Passed,
    /// It goes on only when somebody overrides.
    SoftFailed,
    HardFailed {
        error: String,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The queue says that it is this run's turn.
    Start,
    FetchFinished,
    FetchFailed {
        error: String,
    },
    PrePlanJudged(Judgement),
    /// Somebody let the run pass in spite of its policies, before the plan or after it.
    Overridden,
    /// A runner has taken the plan.
    PlanStarted,
    PlanFinished {
        has_changes: bool,
        /// What follows; [`Gates::pre_plan`] stays as it was.
        gates: Gates,
    },
    PlanFailed {
        error: String,
    },
    /// Terraform ended after a cancel, with nothing left undone that it had begun.
    PlanCanceled,
    /// The plan's runner is gone; it is planned again.
    PlanLost,
    CostEstimated {
        /// A limit asks for an approval that was not asked for before.
        needs_approval: bool,
        /// The limit that ends the run.
        blocked: Option<String>,
    },
    PlanJudged(Judgement),
    /// Every approval that is asked for is there.
    Approved,
    /// An approval was taken back.
    ApprovalMissing,
    /// Somebody said yes.
    Confirm,
    ApplyStarted,
    ApplyFinished,
    ApplyFailed {
        error: String,
    },
    ApplyCanceled,
    /// The step died, or its runner did not come back: what it did last is not known.
    ApplyUncertain {
        error: String,
    },
    Cancel,
    ForceCancel,
    Discard,
    /// Another run changed the state that this saved plan was made from.
    PlanStale,
    /// The uncertain state was recovered, or a person says that it is right.
    Resolve,
}

/// What must be done along with the change of state, in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    TakeWorkspace,
    ReleaseWorkspace,
    Enqueue(JobKind),
    CheckBeforePlan,
    EstimateCost,
    /// The policies will be asked, after the cost: clients look for the check as soon as the plan
    /// has ended.
    AnnouncePlanCheck,
    CheckPlan,
    /// Ask the runner for one SIGINT.
    CancelJob,
    /// Ask the runner to freeze, check the state and kill.
    ForceCancelJob,
    /// End the run's unfinished jobs without a result; whatever they still send is stale.
    AbandonJobs,
    /// As `AbandonJobs`, but their runner may still deliver states for recovery.
    AbandonJobsForRecovery,
}

/// A legal step: the state after it, its effects, and why it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub next: RunState,
    pub effects: Vec<Effect>,
    pub error: Option<String>,
}

/// A step that the machine does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {status} can't take this step: {event}")]
pub struct Illegal {
    pub status: RunStatus,
    pub event: &'static str,
}

/// How long after a cancel a force-cancel is allowed.
pub const FORCE_CANCEL_AFTER: TimeDelta = TimeDelta::seconds(10);

mod onward;
mod step;

use onward::{
    confirmed, cost_estimated, gates_passed, may_be_approved, plan_finished, plan_queued,
    ready_to_plan, with_approvals,
};
use step::Step;

use Effect as F;
use PhaseStatus as P;
use RunStatus as S;

/// The table.
///
/// # Errors
/// [`Illegal`] for every pair that isn't in it; nothing changes then.
pub fn step(run: &RunState, event: &Event, now: Timestamp) -> Result<Transition, Illegal> {
    let to = |status, plan, apply| Step::new(run, status, plan, apply);
    let step = match (run.status, event) {
        (S::Pending, Event::Start) if run.needs_fetch => to(S::Fetching, P::Pending, P::Pending)
            .take()
            .with(F::Enqueue(JobKind::Fetch)),
        (S::Pending, Event::Start) => ready_to_plan(run),
        (S::Fetching, Event::FetchFinished) => ready_to_plan(run),
        (S::Fetching, Event::FetchFailed { error }) => {
            to(S::Errored, P::Unreachable, P::Unreachable)
                .release()
                .failed(error)
        }

        (S::PrePlanRunning, Event::PrePlanJudged(Judgement::Passed))
        | (S::PrePlanAwaitingDecision, Event::Overridden) => plan_queued(run),
        (S::PrePlanRunning, Event::PrePlanJudged(Judgement::SoftFailed)) if run.plan_only => {
            to(S::PolicySoftFailed, P::Unreachable, P::Unreachable).release()
        }
        (S::PrePlanRunning, Event::PrePlanJudged(Judgement::SoftFailed)) => {
            to(S::PrePlanAwaitingDecision, P::Pending, P::Pending)
        }
        (S::PrePlanRunning, Event::PrePlanJudged(Judgement::HardFailed { error })) => {
            to(S::Errored, P::Unreachable, P::Unreachable)
                .release()
                .failed(error)
        }

        (S::PlanQueued, Event::PlanStarted) => to(S::Planning, P::Running, P::Pending),
        (S::Planning, Event::PlanFinished { has_changes, gates }) => {
            plan_finished(run, *has_changes, *gates)
        }
        (S::Planning, Event::PlanFailed { error }) => to(S::Errored, P::Errored, P::Unreachable)
            .release()
            .failed(error),
        (S::Planning, Event::PlanCanceled) => {
            to(S::Canceled, P::Canceled, P::Unreachable).release()
        }
        (S::Planning, Event::PlanLost) => {
            to(S::PlanQueued, P::Queued, P::Pending).with(F::Enqueue(JobKind::Plan))
        }
        (S::PlanQueued, Event::PlanFailed { error }) => to(S::Errored, P::Errored, P::Unreachable)
            .release()
            .with(F::AbandonJobs)
            .failed(error),

        (
            S::CostEstimating,
            Event::CostEstimated {
                blocked: Some(error),
                ..
            },
        ) => to(S::Errored, P::Finished, P::Unreachable)
            .release()
            .failed(error),
        (S::CostEstimating, Event::CostEstimated { needs_approval, .. }) => {
            let approvals = run.gates.approvals || *needs_approval;
            cost_estimated(&with_approvals(run, approvals))
        }
        (S::PolicyChecking, Event::PlanJudged(Judgement::Passed))
        | (S::PolicyOverride, Event::Overridden) => gates_passed(run, S::PolicyChecked),
        (S::PolicyChecking, Event::PlanJudged(Judgement::SoftFailed)) if run.plan_only => {
            to(S::PolicySoftFailed, P::Finished, P::Unreachable).release()
        }
        (S::PolicyChecking, Event::PlanJudged(Judgement::SoftFailed)) => {
            to(S::PolicyOverride, P::Finished, P::Pending)
        }
        (S::PolicyChecking, Event::PlanJudged(Judgement::HardFailed { error })) => {
            to(S::Errored, P::Finished, P::Unreachable)
                .release()
                .failed(error)
        }

        (S::Planned | S::CostEstimated | S::PolicyChecked, Event::Confirm) => confirmed(run),
        (S::Confirmed, Event::Approved) if run.gates.approvals && !run.save_plan => {
            confirmed(&with_approvals(run, false))
        }
        (status, Event::Approved) if run.gates.approvals && may_be_approved(status) => {
            Step::stay(&with_approvals(run, false))
        }
        (status, Event::ApprovalMissing) if !run.gates.approvals && may_be_approved(status) => {
            Step::stay(&with_approvals(run, true))
        }
        (S::PlannedAndSaved, Event::Confirm) => to(S::Confirmed, P::Finished, P::Pending),
        (S::Confirmed, Event::Start) if run.save_plan && !run.gates.approvals => {
            to(S::ApplyQueued, P::Finished, P::Queued)
                .take()
                .with(F::Enqueue(JobKind::Apply))
        }
        (S::PlannedAndSaved, Event::PlanStale) => to(S::Discarded, P::Finished, P::Unreachable),
        // A CLI may be waiting: it takes `discarded` for a good end.
        (S::Confirmed, Event::PlanStale) => to(S::Canceled, P::Finished, P::Canceled).release(),

        (S::ApplyQueued, Event::ApplyStarted) => to(S::Applying, P::Finished, P::Running),
        (S::Applying, Event::ApplyFinished) => to(S::Applied, P::Finished, P::Finished).release(),
        (S::Applying, Event::ApplyFailed { error }) => to(S::Errored, P::Finished, P::Errored)
            .release()
            .failed(error),
        (S::Applying, Event::ApplyCanceled) => to(S::Canceled, P::Finished, P::Canceled).release(),
        (S::Applying, Event::ApplyUncertain { error }) => to(S::Errored, P::Finished, P::Errored)
            .uncertain()
            .with(F::AbandonJobsForRecovery)
            .failed(error),
        (S::Errored, Event::Resolve) if run.state_uncertain => {
            to(S::Errored, P::Finished, P::Errored).resolved().release()
        }

        (S::Pending | S::Fetching | S::PlanQueued, Event::Cancel) => {
            to(S::Canceled, P::Canceled, P::Unreachable)
                .release()
                .with(F::AbandonJobs)
        }
        (S::PrePlanRunning, Event::Cancel) => {
            to(S::Canceled, P::Canceled, P::Unreachable).release()
        }
        (S::CostEstimating | S::PolicyChecking, Event::Cancel) => {
            to(S::Canceled, P::Finished, P::Unreachable).release()
        }
        (S::Confirmed | S::ApplyQueued, Event::Cancel) => to(S::Canceled, P::Finished, P::Canceled)
            .release()
            .with(F::AbandonJobs),
        (S::Planning | S::Applying, Event::Cancel) if run.cancel_requested_at.is_none() => {
            Step::stay(run).canceling(now).with(F::CancelJob)
        }
        (S::Planning, Event::ForceCancel) if force_allowed(run, now) => {
            to(S::Canceled, P::Canceled, P::Unreachable)
                .release()
                .with(F::ForceCancelJob)
                .with(F::AbandonJobs)
        }
        (S::Applying, Event::ForceCancel) if run.out_of_contact && force_allowed(run, now) => {
            to(S::Errored, P::Finished, P::Errored)
                .uncertain()
                .with(F::AbandonJobsForRecovery)
                .failed("force-canceled while its runner was out of contact")
        }
        (S::Applying, Event::ForceCancel) if force_allowed(run, now) => {
            Step::stay(run).with(F::ForceCancelJob)
        }

        (S::Pending, Event::Discard) => to(S::Discarded, P::Unreachable, P::Unreachable).release(),
        (S::PrePlanAwaitingDecision, Event::Discard) => {
            to(S::Discarded, P::Unreachable, P::Unreachable).release()
        }
        (
            S::Planned
            | S::CostEstimated
            | S::PolicyOverride
            | S::PolicyChecked
            | S::PlannedAndSaved,
            Event::Discard,
        ) => to(S::Discarded, P::Finished, P::Unreachable).release(),
        // Not `discarded`: the Terraform CLI that waits for it would exit 0, as if it had applied.
        (S::Confirmed, Event::Discard) if run.gates.approvals => {
            to(S::Canceled, P::Finished, P::Canceled).release()
        }

        (status, event) => {
            return Err(Illegal {
                status,
                event: event.name(),
            });
        }
    };
    Ok(step.0)
}

/// From when on a force-cancel is allowed, if a cancel was asked for.
pub fn force_cancel_at(run: &RunState) -> Option<Timestamp> {
    run.cancel_requested_at
        .filter(|_| matches!(run.status, S::Planning | S::Applying))
        .map(|at| at + FORCE_CANCEL_AFTER)
}

fn force_allowed(run: &RunState, now: Timestamp) -> bool {
    force_cancel_at(run).is_some_and(|at| now >= at)
}

impl Event {
    /// The event's word in histories and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::FetchFinished => "fetch-finished",
            Self::FetchFailed { .. } => "fetch-failed",
            Self::PrePlanJudged(_) => "pre-plan-judged",
            Self::Overridden => "override",
            Self::PlanStarted => "plan-started",
            Self::PlanFinished { .. } => "plan-finished",
            Self::PlanFailed { .. } => "plan-failed",
            Self::PlanCanceled => "plan-canceled",
            Self::PlanLost => "plan-lost",
            Self::CostEstimated { .. } => "cost-estimated",
            Self::PlanJudged(_) => "plan-judged",
            Self::Approved => "approved",
            Self::ApprovalMissing => "approval-missing",
            Self::Confirm => "confirm",
            Self::ApplyStarted => "apply-started",
            Self::ApplyFinished => "apply-finished",
            Self::ApplyFailed { .. } => "apply-failed",
            Self::ApplyCanceled => "apply-canceled",
            Self::ApplyUncertain { .. } => "apply-uncertain",
            Self::Cancel => "cancel",
            Self::ForceCancel => "force-cancel",
            Self::Discard => "discard",
            Self::PlanStale => "plan-stale",
            Self::Resolve => "resolve",
        }
    }
}

/// What may be asked of a run now: the `actions` that clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    pub is_confirmable: bool,
    pub is_discardable: bool,
    pub is_cancelable: bool,
    pub is_force_cancelable: bool,
}

impl Actions {
    pub fn of(run: &RunState, now: Timestamp) -> Self {
        let legal = |event: &Event| step(run, event, now).is_ok();
        Self {
            is_confirmable: legal(&Event::Confirm),
            is_discardable: legal(&Event::Discard),
            // A second cancel changes nothing, but the client that asks again is told yes.
            is_cancelable: legal(&Event::Cancel)
                || (run.cancel_requested_at.is_some()
                    && matches!(run.status, S::Planning | S::Applying)),
            is_force_cancelable: legal(&Event::ForceCancel),
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
