//! A check as text: what the CLI prints under its heading.

use std::fmt::Write as _;

use domain::policy::{PolicyCheckStatus, PolicyStage};
use domain::run::RunSource;
use policy::Outcome;

use super::model::{PolicyCheck, PolicyResult, task_stage_id};
use super::store;
use crate::context::Tenant;
use crate::runs::model::Run;

/// The most denials of one policy that are printed; the API has them all.
const SHOWN: usize = 20;

/// The text, with a line feed at the end of each line.
pub(super) fn text(check: &PolicyCheck, results: &[PolicyResult]) -> String {
    let mut text = String::new();
    let mut group = None;
    for result in results {
        if group != Some(&result.group_id) {
            group = Some(&result.group_id);
            let _ = writeln!(text, "\nPolicy group {}:", result.group_name);
        }
        policy(&mut text, result);
    }
    if let Some(error) = &check.error {
        let _ = writeln!(text, "\n{error}");
    }
    let _ = writeln!(text, "\n{}", summary(check.status, results));
    text
}

/// What a log begins with for clients that show no stage before the plan: why the run waits, or
/// ended, there. It stays the same once it is there, because readers count bytes.
///
/// # Errors
/// The database's own.
pub(in crate::runs) async fn log_preface(
    conn: &mut db::Conn,
    tenant: &Tenant,
    run: &Run,
) -> Result<Vec<u8>, db::Error> {
    if !run.state.gates.pre_plan || run.source != RunSource::Remote {
        return Ok(Vec::new());
    }
    let stage = PolicyStage::PrePlan;
    let Some(mut check) = store::find(conn, tenant, &run.id, stage).await? else {
        return Ok(Vec::new());
    };
    let soft = match check.status {
        PolicyCheckStatus::SoftFailed | PolicyCheckStatus::Overridden => true,
        PolicyCheckStatus::HardFailed | PolicyCheckStatus::Errored => false,
        PolicyCheckStatus::Pending
        | PolicyCheckStatus::Queued
        | PolicyCheckStatus::Passed
        | PolicyCheckStatus::Canceled
        | PolicyCheckStatus::Unreachable => return Ok(Vec::new()),
    };
    if soft {
        check.status = PolicyCheckStatus::SoftFailed;
    }
    let results = store::results(conn, tenant, &run.id, stage).await?;
    let mut said = text(&check, &results);
    if soft && !run.state.plan_only {
        let _ = writeln!(
            said,
            "This backend can't ask you here: override in the web UI, or by\n\
             POST /api/v2/task-stages/{}/actions/override\n",
            task_stage_id(&run.id)
        );
    }
    Ok(said.into_bytes())
}

fn policy(text: &mut String, result: &PolicyResult) {
    let verdict = &result.verdict;
    let mark = match verdict.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "FAILED",
        Outcome::Errored => "ERROR",
    };
    let level = verdict.enforcement_level.as_str();
    let _ = writeln!(text, "  {mark}  {} ({level})", verdict.policy);
    if let Some(error) = &verdict.error {
        let _ = writeln!(text, "          {error}");
    }
    for denial in verdict.messages.iter().take(SHOWN) {
        let _ = writeln!(text, "          - {}", denial.message);
    }
    let hidden = verdict.messages.len().saturating_sub(SHOWN) as u64 + verdict.omitted;
    if hidden > 0 {
        let _ = writeln!(text, "          … and {hidden} more");
    }
}

fn summary(status: PolicyCheckStatus, results: &[PolicyResult]) -> String {
    let passed = results
        .iter()
        .filter(|it| it.verdict.outcome == Outcome::Passed)
        .count();
    let counts = format!("{passed} of {} policies passed", results.len());
    match status {
        PolicyCheckStatus::Passed => format!("{counts}; the run goes on."),
        PolicyCheckStatus::SoftFailed => {
            format!("{counts}; the run waits until somebody who may overrides the rest.")
        }
        PolicyCheckStatus::HardFailed => {
            format!("{counts}; the run ends here, and this can't be overridden.")
        }
        PolicyCheckStatus::Overridden => format!("{counts}; the rest was overridden."),
        PolicyCheckStatus::Errored => {
            "The policies could not be asked, so the run ends.".to_owned()
        }
        PolicyCheckStatus::Pending | PolicyCheckStatus::Queued => {
            "The policies have not been asked yet.".to_owned()
        }
        PolicyCheckStatus::Canceled | PolicyCheckStatus::Unreachable => {
            "The run ended before its policies were asked.".to_owned()
        }
    }
}
