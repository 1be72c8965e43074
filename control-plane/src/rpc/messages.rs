//! Small conversions between the contract's messages and our words.

use domain::ids::{AccountId, JobId};
use protocol::v1::job_directive::Kind;
use protocol::v1::{JobDirective, LeaseEvent, Offer, RunningJob, complete_request, lease_event};
use tonic::Status;

use super::status::unreadable;
use crate::context::Tenant;
use crate::runs::jobs::{Directive, Job, Outcome, Report, Standing};
use crate::runs::{ApplyResult, PlanResult, Unrecorded, configuration};

pub(super) fn job_id(text: &str) -> Result<JobId, Status> {
    text.parse().map_err(|_| unreadable("the job's id"))
}

pub(super) fn epoch(number: u64) -> Result<i64, Status> {
    i64::try_from(number).map_err(|_| unreadable("the epoch"))
}

pub(super) fn tenant(account: &AccountId) -> Tenant {
    Tenant::of_row(account)
}

pub(super) fn running(jobs: &[RunningJob]) -> Result<Vec<(JobId, i64)>, Status> {
    jobs.iter()
        .map(|job| Ok((job_id(&job.job_id)?, epoch(job.epoch)?)))
        .collect()
}

pub(super) fn offer(job: &Job) -> LeaseEvent {
    let offer = Offer {
        job_id: job.id.to_string(),
        epoch: job.epoch.unsigned_abs(),
        kind: job.kind.to_string(),
    };
    LeaseEvent {
        event: Some(lease_event::Event::Offer(offer)),
    }
}

pub(super) fn directive_event(directive: JobDirective) -> LeaseEvent {
    LeaseEvent {
        event: Some(lease_event::Event::Directive(directive)),
    }
}

pub(super) fn directive(job: &JobId, epoch: i64, kind: Kind) -> JobDirective {
    JobDirective {
        job_id: job.to_string(),
        epoch: epoch.unsigned_abs(),
        kind: kind.into(),
    }
}

pub(super) fn kind_of(standing: Standing) -> Kind {
    match standing {
        Standing::Held(Directive::Continue) => Kind::Continue,
        Standing::Held(Directive::Cancel) => Kind::Cancel,
        Standing::Held(Directive::ForceCancel) => Kind::ForceCancel,
        Standing::Over => Kind::Forget,
        Standing::Lost => Kind::Release,
    }
}

pub(super) fn directives(jobs: &[(JobId, i64)], standings: Vec<Standing>) -> Vec<JobDirective> {
    jobs.iter()
        .zip(standings)
        .map(|((job, epoch), standing)| directive(job, *epoch, kind_of(standing)))
        .collect()
}

fn outcome(number: i32) -> Result<Outcome, Status> {
    use complete_request::Outcome as Wire;
    match Wire::try_from(number) {
        Ok(Wire::Succeeded) => Ok(Outcome::Succeeded),
        Ok(Wire::Failed) => Ok(Outcome::Failed),
        Ok(Wire::Canceled) => Ok(Outcome::Canceled),
        Ok(Wire::StateUncertain) => Ok(Outcome::StateUncertain),
        Ok(Wire::Unspecified) | Err(_) => Err(unreadable("the outcome")),
    }
}

/// Longest error sentence that is kept.
const MAX_ERROR: usize = 4000;

pub(super) fn report(asked: protocol::v1::CompleteRequest) -> Result<Report, Status> {
    let version = asked.terraform_version;
    let plan = asked.plan.map(|plan| PlanResult {
        has_changes: plan.has_changes,
        additions: plan.additions,
        changes: plan.changes,
        destructions: plan.destructions,
        imports: plan.imports,
        drifted: plan.drifted,
        generated_configuration: plan.generated_configuration,
        state_mode: plan.state_mode,
        terraform_version: version,
    });
    let apply = asked.apply.map(|apply| ApplyResult {
        additions: apply.additions,
        changes: apply.changes,
        destructions: apply.destructions,
        imports: apply.imports,
        possibly_unrecorded: apply
            .possibly_unrecorded
            .into_iter()
            .take(10_000)
            .map(|it| Unrecorded {
                address: it.address,
                id_key: it.id_key,
                id_value: it.id_value,
                import_block: it.import_block,
            })
            .collect(),
    });
    let fetched = asked.fetch.map(|fetch| configuration::Fetched {
        commit: fetch.commit,
        author: fetch.author,
        message: fetch.message,
        reference: fetch.branch,
        ..configuration::Fetched::default()
    });
    let mut error: String = asked.error.chars().take(MAX_ERROR).collect();
    if asked.out_of_memory {
        error =
            format!("Terraform ran out of memory; give the runner or the workspace more. {error}");
    }
    if asked.timed_out {
        error = format!("the run took longer than allowed. {error}");
    }
    Ok(Report {
        outcome: outcome(asked.outcome)?,
        error,
        plan,
        apply,
        fetched,
    })
}
