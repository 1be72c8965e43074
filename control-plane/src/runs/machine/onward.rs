//! Where a run goes next when a phase or a gate is behind it: the same ways lead there from several
//! rows of the table.

use domain::job::JobKind;

use super::step::Step;
use super::{F, Gates, P, RunState, S};

/// The configuration is there and the run's turn has come.
pub(super) fn ready_to_plan(run: &RunState) -> Step {
    if run.gates.pre_plan {
        Step::new(run, S::PrePlanRunning, P::Pending, P::Pending)
            .take()
            .with(F::CheckBeforePlan)
    } else {
        plan_queued(run)
    }
}

pub(super) fn plan_queued(run: &RunState) -> Step {
    Step::new(run, S::PlanQueued, P::Queued, P::Pending)
        .take()
        .with(F::Enqueue(JobKind::Plan))
}

/// A plan that would change nothing passes no gate: there is nothing to judge.
pub(super) fn plan_finished(run: &RunState, has_changes: bool, gates: Gates) -> Step {
    let judged = has_changes || run.allow_empty_apply;
    let asked = if judged { gates } else { Gates::default() };
    let next = RunState {
        has_changes,
        gates: Gates {
            pre_plan: run.gates.pre_plan,
            ..asked
        },
        ..run.clone()
    };
    let step = if asked.cost {
        Step::new(&next, S::CostEstimating, P::Finished, P::Pending).with(F::EstimateCost)
    } else if asked.policy {
        policy_checking(&next)
    } else {
        return gates_passed(&next, S::Planned);
    };
    if asked.policy {
        step.with(F::AnnouncePlanCheck)
    } else {
        step
    }
}

pub(super) fn cost_estimated(run: &RunState) -> Step {
    if run.gates.policy {
        policy_checking(run)
    } else {
        gates_passed(run, S::CostEstimated)
    }
}

pub(super) fn policy_checking(run: &RunState) -> Step {
    Step::new(run, S::PolicyChecking, P::Finished, P::Pending).with(F::CheckPlan)
}

/// Where a run goes when nothing stands in its way any more; it waits for a yes in `waiting`.
pub(super) fn gates_passed(run: &RunState, waiting: S) -> Step {
    let to = |status, apply| Step::new(run, status, P::Finished, apply);
    if run.plan_only || !(run.has_changes || run.allow_empty_apply) {
        to(S::PlannedAndFinished, P::Unreachable).release()
    } else if run.save_plan {
        to(S::PlannedAndSaved, P::Pending)
    } else if run.auto_apply && run.cancel_requested_at.is_none() {
        confirmed(run)
    } else {
        to(waiting, P::Pending)
    }
}

/// Somebody said yes; the CLI waits in `confirmed` until the approvals are there.
pub(super) fn confirmed(run: &RunState) -> Step {
    if run.gates.approvals {
        Step::new(run, S::Confirmed, P::Finished, P::Pending)
    } else {
        Step::new(run, S::ApplyQueued, P::Finished, P::Queued).with(F::Enqueue(JobKind::Apply))
    }
}

pub(super) fn with_approvals(run: &RunState, approvals: bool) -> RunState {
    let gates = Gates {
        approvals,
        ..run.gates
    };
    RunState {
        gates,
        ..run.clone()
    }
}

/// From the end of the plan to the start of the apply.
pub(super) fn may_be_approved(status: S) -> bool {
    matches!(
        status,
        S::Planned
            | S::CostEstimating
            | S::CostEstimated
            | S::PolicyChecking
            | S::PolicyOverride
            | S::PolicyChecked
            | S::PlannedAndSaved
            | S::Confirmed
    )
}
