//! The ids of what there is once for a run.

use domain::ids::{PolicyCheckId, RunId, TaskStageId};

/// The check after a run's plan.
pub fn policy_check_id(run: &RunId) -> PolicyCheckId {
    PolicyCheckId::beside(run.body())
}

/// The stage before a run's plan.
pub fn task_stage_id(run: &RunId) -> TaskStageId {
    TaskStageId::beside(run.body())
}
