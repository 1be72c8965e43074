//! Why a run waits: every run that is not at work names what it waits for.

use domain::job::{JobKind, JobStatus};
use domain::run::RunStatus;
use domain::workspace::LockKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::approval_service;
use super::error::RunError;
use super::jobs;
use super::model::Run;
use super::store;
use crate::app::App;
use crate::context::Tenant;
use crate::fetches::Fetch;
use crate::runners;
use crate::workspaces;

/// What a run waits for, in a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitReason {
    pub code: &'static str,
    pub detail: String,
}

fn reason(code: &'static str, detail: impl Into<String>) -> Option<WaitReason> {
    Some(WaitReason {
        code,
        detail: detail.into(),
    })
}

/// The reason, and the position in the queue (0: not in a queue).
///
/// # Errors
/// The database's own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other status waits for nothing"
)]
pub async fn wait_of(app: &App, run: &Run) -> Result<(Option<WaitReason>, i64), RunError> {
    let tenant = Tenant::of_row(&run.account_id);
    let mut conn = app.db.acquire().await?;
    if run.status() == RunStatus::Confirmed && run.state.gates.approvals {
        let standing = approval_service::standing(&mut conn, &tenant, run, None).await?;
        return Ok((reason("approval", standing.text), 0));
    }
    match run.status() {
        RunStatus::Pending | RunStatus::Confirmed => {
            let workspace = workspaces::find(&mut conn, &tenant, &run.workspace_id).await?;
            let before = store::unfinished(&mut conn, &tenant, &run.workspace_id)
                .await?
                .into_iter()
                .filter(|other| other.number < run.number && !other.state.plan_only)
                .collect::<Vec<_>>();
            let position = i64::try_from(before.len()).unwrap_or(i64::MAX) + 1;
            let lock = workspace.and_then(|it| it.lock);
            let why = match (lock, before.first()) {
                (Some(lock), _) if lock.kind == LockKind::User => reason(
                    "workspace-locked",
                    format!(
                        "the workspace is locked by {}: {}",
                        lock.holder_name, lock.reason
                    ),
                ),
                (Some(lock), _) => reason("behind-run", format!("behind run {}", lock.holder_id)),
                (None, Some(first)) => reason("behind-run", format!("behind run {}", first.id)),
                (None, None) => reason("starting", "its turn has come; it is being started"),
            };
            Ok((why, position))
        }
        RunStatus::PlanQueued | RunStatus::ApplyQueued | RunStatus::Fetching => {
            let limit = app.installation.limits.jobs_per_account();
            match jobs::store::latest(&mut conn, &tenant, &run.id).await? {
                Some(job) => waiting_for_runner(&mut conn, &tenant, job, limit).await,
                None => Ok((None, 0)),
            }
        }
        RunStatus::PrePlanRunning | RunStatus::PolicyChecking => {
            Ok((reason("policy-check", "its policies are being asked"), 0))
        }
        RunStatus::CostEstimating => Ok((
            reason("cost-estimate", "what the plan costs is being estimated"),
            0,
        )),
        RunStatus::PrePlanAwaitingDecision | RunStatus::PolicyOverride => Ok((
            reason(
                "policy-override",
                "a policy objects; somebody who may has to override it, or the run is discarded",
            ),
            0,
        )),
        RunStatus::Planned | RunStatus::CostEstimated | RunStatus::PolicyChecked => Ok((
            reason(
                "confirmation",
                "the plan is ready; somebody has to confirm or discard it",
            ),
            0,
        )),
        RunStatus::PlannedAndSaved => Ok((
            reason("confirmation", "the plan is saved; apply or discard it"),
            0,
        )),
        RunStatus::Applying if run.state.out_of_contact => Ok((
            reason(
                "out-of-contact",
                "its runner is silent; the apply goes on there and resumes when it returns",
            ),
            0,
        )),
        RunStatus::Errored if run.state.state_uncertain => Ok((
            reason(
                "state-uncertain",
                "what the apply did last is not known; the workspace stays locked until the \
                 runner delivers its journal, or a person resolves the run",
            ),
            0,
        )),
        _ => Ok((None, 0)),
    }
}

/// The limit that a queued job waits for, if it is one.
async fn at_limit(
    conn: &mut db::Conn,
    job: &jobs::Job,
    default_limit: i64,
) -> Result<Option<WaitReason>, RunError> {
    let at_work = jobs::turns::at_work(conn, job).await?;
    let account_limit = at_work.account_limit(default_limit);
    let full = |code, whose, jobs: i64, limit: i64| {
        let detail = format!("{whose} limit {jobs} of {limit}: it starts when another run ends");
        reason(code, detail)
    };
    if job.status != JobStatus::Queued {
        return Ok(None);
    }
    if at_work.of_account >= account_limit {
        return Ok(full(
            "account-limit",
            "account",
            at_work.of_account,
            account_limit,
        ));
    }
    Ok(match at_work.environment_limit {
        Some(limit) if at_work.of_environment >= limit => full(
            "environment-limit",
            "environment",
            at_work.of_environment,
            limit,
        ),
        Some(_) | None => None,
    })
}

/// What a fetch waits for; nothing when it has ended.
///
/// # Errors
/// The database's own.
pub async fn wait_of_fetch(app: &App, fetch: &Fetch) -> Result<Option<WaitReason>, RunError> {
    if fetch.is_over() {
        return Ok(None);
    }
    let tenant = Tenant::of_row(&fetch.account_id);
    let mut conn = app.db.acquire().await?;
    let Some(job) = jobs::job_of_fetch(&mut conn, &tenant, &fetch.id).await? else {
        return Ok(reason("starting", "it is being put into its pool's queue"));
    };
    let limit = app.installation.limits.jobs_per_account();
    Ok(waiting_for_runner(&mut conn, &tenant, job, limit).await?.0)
}

async fn waiting_for_runner(
    conn: &mut db::Conn,
    tenant: &Tenant,
    job: jobs::Job,
    default_limit: i64,
) -> Result<(Option<WaitReason>, i64), RunError> {
    let of_fetch = job.owner.fetch().is_some();
    match (job.status, job.kind) {
        (JobStatus::Queued | JobStatus::Offered, _) => {
            let ahead = jobs::turns::ahead(conn, &job.pool_id, &job.id).await?;
            if let Some(full) = at_limit(conn, &job, default_limit).await? {
                return Ok((Some(full), ahead + 1));
            }
            let there = runners::standing(conn, tenant, &job.pool_id, of_fetch).await?;
            let why = if there.connected == 0 {
                reason(
                    "no-runner",
                    format!("no runner of pool {} is online; start one", job.pool_id),
                )
            } else if there.fitting == 0 && of_fetch {
                reason(
                    "no-fitting-runner",
                    format!(
                        "no runner of pool {} can fetch for anything but runs, with the sandbox \
                         that the pool demands; update the runners, or change the pool",
                        job.pool_id
                    ),
                )
            } else if there.fitting == 0 {
                reason(
                    "no-fitting-runner",
                    format!(
                        "no runner of pool {} has the sandbox that the pool demands; start one \
                         that has, or change the pool",
                        job.pool_id
                    ),
                )
            } else if ahead > 0 {
                reason(
                    "runners-busy",
                    format!("{ahead} jobs are before it in its pool"),
                )
            } else {
                reason("runners-busy", "all runners of its pool are at work")
            };
            Ok((why, ahead + 1))
        }
        (JobStatus::Leased, JobKind::Fetch) => {
            let what = if of_fetch {
                "repository"
            } else {
                "configuration"
            };
            Ok((
                reason("fetching", format!("a runner fetches the {what}")),
                0,
            ))
        }
        _ => Ok((None, 0)),
    }
}
