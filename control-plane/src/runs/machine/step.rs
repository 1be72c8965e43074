//! A transition while it is put together: the next state with the effects that belong to it.

use domain::run::{PhaseStatus, RunStatus};

use super::{Effect, RunState, Transition};
use crate::clock::Timestamp;

/// A transition while it is put together.
pub(super) struct Step(pub(super) Transition);

impl Step {
    pub(super) fn new(
        run: &RunState,
        status: RunStatus,
        plan: PhaseStatus,
        apply: PhaseStatus,
    ) -> Self {
        let next = RunState {
            status,
            plan,
            apply,
            out_of_contact: false,
            ..run.clone()
        };
        Self(Transition {
            next,
            effects: Vec::new(),
            error: None,
        })
    }

    pub(super) fn stay(run: &RunState) -> Self {
        Self(Transition {
            next: run.clone(),
            effects: Vec::new(),
            error: None,
        })
    }

    pub(super) fn with(mut self, effect: Effect) -> Self {
        self.0.effects.push(effect);
        self
    }

    /// Takes the workspace, unless this run never changes it or will do so only when confirmed.
    pub(super) fn take(mut self) -> Self {
        let parks = self.0.next.save_plan && self.0.next.status != RunStatus::ApplyQueued;
        if !self.0.next.plan_only && !parks && !self.0.next.holds_workspace {
            self.0.next.holds_workspace = true;
            self.0.effects.push(Effect::TakeWorkspace);
        }
        self
    }

    pub(super) fn release(mut self) -> Self {
        if self.0.next.holds_workspace {
            self.0.next.holds_workspace = false;
            self.0.effects.push(Effect::ReleaseWorkspace);
        }
        self
    }

    pub(super) fn uncertain(mut self) -> Self {
        self.0.next.state_uncertain = true;
        self
    }

    pub(super) fn resolved(mut self) -> Self {
        self.0.next.state_uncertain = false;
        self
    }

    pub(super) fn canceling(mut self, now: Timestamp) -> Self {
        self.0.next.cancel_requested_at = Some(now);
        self
    }

    pub(super) fn failed(mut self, error: &str) -> Self {
        self.0.error = Some(error.to_owned());
        self
    }
}
