//! What is reported about a job that has ended.

use std::io::{self, Read};

use protocol::v1::complete_request::Outcome;
use protocol::v1::{ApplySummary, CompleteRequest, Job, PlanSummary, Unrecorded};
use terraform::lines::{Line, LineBuffer, Operations};

use super::StepDir;
use super::watch_step::Ended;

/// More would not be read by anybody; the rest is counted in the log.
const MOST_UNRECORDED: usize = 10_000;

/// An empty report of a job.
pub(super) fn report(job: &Job, outcome: Outcome, error: impl Into<String>) -> CompleteRequest {
    CompleteRequest {
        job_id: job.id.clone(),
        epoch: job.epoch,
        outcome: outcome.into(),
        error: error.into(),
        ..CompleteRequest::default()
    }
}

/// How a step's end is reported.
pub(super) fn outcome_of(ended: &Ended, applies: bool, uncertain: bool) -> Outcome {
    match ended {
        Ended::Died { .. } if applies => Outcome::StateUncertain,
        Ended::Died { .. } | Ended::NeverBegan(_) => Outcome::Failed,
        Ended::Exited(_) if applies && uncertain => Outcome::StateUncertain,
        Ended::Exited(exit) => match exit.outcome {
            step::Outcome::Succeeded => Outcome::Succeeded,
            step::Outcome::Failed => Outcome::Failed,
            step::Outcome::Canceled => Outcome::Canceled,
            step::Outcome::Killed if exit.timed_out => Outcome::Failed,
            step::Outcome::Killed => Outcome::Canceled,
        },
    }
}

/// One sentence about it for people; empty for a success.
pub(super) fn sentence(ended: &Ended, applies: bool) -> String {
    match ended {
        Ended::Exited(exit) => exit.message.clone().unwrap_or_default(),
        Ended::NeverBegan(reason) => reason.clone(),
        Ended::Died {
            out_of_memory: true,
        } => "The step was ended by the kernel for want of memory.".to_owned(),
        Ended::Died { .. } if applies => "The step died in the middle of the apply; what it had \
            recorded of the state has been recovered."
            .to_owned(),
        Ended::Died { .. } => "The step died before it could say how it ended.".to_owned(),
    }
}

/// What the output of an apply says was done.
///
/// # Errors
/// When the output can't be read.
pub(super) fn operations(step: &StepDir) -> io::Result<Operations> {
    let mut operations = Operations::default();
    let Some(mut file) = step.open_if_there("output/apply.stdout")? else {
        return Ok(operations);
    };
    let mut lines = LineBuffer::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        lines.push(&buffer[..count]);
        while let Some(line) = lines.next_line() {
            operations.observe(&Line::parse(&line).event);
        }
        if count == 0 {
            if let Some(line) = lines.rest() {
                operations.observe(&Line::parse(&line).event);
            }
            return Ok(operations);
        }
    }
}

/// The counts of an apply and what no state records of it.
pub(super) fn apply_summary(
    operations: &Operations,
    unrecorded: Vec<terraform::lines::Unrecorded>,
) -> ApplySummary {
    let counts = operations.summary().cloned().unwrap_or_default();
    ApplySummary {
        additions: counts.add,
        changes: counts.change,
        destructions: counts.remove,
        imports: counts.import,
        possibly_unrecorded: unrecorded
            .into_iter()
            .take(MOST_UNRECORDED)
            .map(|it| Unrecorded {
                address: it.address,
                id_key: it.id_key,
                id_value: it.id_value,
                import_block: it.import_block,
            })
            .collect(),
    }
}

/// The numbers of a plan on the wire.
pub(super) fn plan_summary(plan: &terraform::plan::PlanSummary, state_mode: &str) -> PlanSummary {
    PlanSummary {
        has_changes: plan.has_changes,
        additions: plan.additions,
        changes: plan.changes,
        destructions: plan.destructions,
        imports: plan.imports,
        state_mode: state_mode.to_owned(),
        generated_configuration: plan.generated_configuration,
        drifted: plan.drifted,
    }
}
