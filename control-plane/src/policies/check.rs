//! Checks what has arrived: compiles a revision's policies and runs its tests, in the policy worker.
//!
//! A reconciler: it takes no input but rows that wait, so a check that a restart cut off is made by
//! the next pass, and one that two replicas make at once is written by one of them. Nothing is put in
//! force that was not found good; the last good revision stays.

use domain::permission::Permission;
use domain::policy::RevisionStatus as Status;
use policy::suite::{TestUnit, UnitReport, units};
use policy::worker::{Checkup, Worker, WorkerError};
use policy::{Circumstances, Dialect, GroupSource, Problem, tree};
use serde_json::json;

use super::checkup::checkup;
use super::error::PolicyError;
use super::group_service::target;
use super::model::{Counts, Findings, Revision};
use super::{contents, group_store, in_force, revision_store as store, singles};
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Tenant};

use crate::http::error::chain;
use crate::iam::authorize;

/// What is kept of what a test printed, in bytes.
const MAX_OUTPUT: usize = 4 * 1024;
/// How many tests of a unit are kept; those that passed go first.
const MAX_TESTS: usize = 500;
/// How many mistakes are kept of one policy or unit.
const MAX_PROBLEMS: usize = 100;
/// How many policies a group may have.
const MAX_POLICIES: usize = 500;

/// Checks everything that waits. The pass of a reconciler.
///
/// # Errors
/// The first fault; what it hit is tried again by the next pass, the rest was done.
pub async fn check_waiting(app: &App) -> Result<(), PolicyError> {
    // A set that can't be put together must not keep the others from their checks.
    let packed = singles::pack_stale(app).await;
    let mut conn = app.db.acquire().await?;
    let waiting = store::to_check(&mut conn).await?;
    drop(conn);
    let more = waiting.len() >= 100;
    let mut failure = packed.err();
    for revision in waiting {
        if let Err(error) = check_one(app, &revision).await {
            tracing::warn!(
                revision = %revision.id, error = chain(&error), "a policy revision can't be checked yet"
            );
            failure.get_or_insert(error);
        }
    }
    if more {
        app.signals.policies.wake();
    }
    failure.map_or(Ok(()), Err)
}

/// What a check came to.
struct Outcome {
    status: Status,
    error: Option<String>,
    findings: Findings,
}

impl Outcome {
    fn errored(reason: String) -> Self {
        Self {
            status: Status::Errored,
            error: Some(reason),
            findings: Findings::default(),
        }
    }
}

async fn check_one(app: &App, revision: &Revision) -> Result<(), PolicyError> {
    let tenant = Tenant::of_row(&revision.account_id);
    let outcome = match files(app, &tenant, revision).await {
        Ok((source, units)) => {
            let worker = app.policy_worker.clone();
            let around = Circumstances {
                now_ns: app.clock.now().timestamp_nanos_opt().unwrap_or_default(),
            };
            let wanted = revision.layout.kind;
            let dialect = source.dialect;
            let checkup = checkup(app, &source).await;
            let work = move || examine(&worker, checkup, dialect, units, around, wanted);
            match tokio::task::spawn_blocking(work).await {
                Ok(Ok(outcome)) => outcome,
                // Without a worker nothing is known about the policies: try again.
                Ok(Err(error)) => return Err(error.into()),
                Err(panic) => Outcome::errored(format!("its check failed: {panic}")),
            }
        }
        Err(PolicyError::BadArchive { reason }) => Outcome::errored(reason),
        // Deleted meanwhile.
        Err(PolicyError::NotFound) => return Ok(()),
        Err(fault) => return Err(fault),
    };
    conclude(app, &tenant, revision.clone(), outcome).await
}

/// The tests of a revision, or what is wrong with their data.
type Units = Result<Vec<TestUnit>, Vec<Problem>>;

async fn files(
    app: &App,
    tenant: &Tenant,
    revision: &Revision,
) -> Result<(GroupSource, Units), PolicyError> {
    let source = in_force::source_of(app, tenant, &revision.id).await?;
    let blob = revision.blob_id.as_ref().ok_or(PolicyError::NotFound)?;
    let all = contents::read(app, tenant, blob).await?;
    let layout = &revision.layout;
    // All files below the folder: tests of common functions that lie there belong to it too.
    let mut tests = units(&tree::below(&all, &layout.path), &source.common);
    let outside = layout.common.as_deref().filter(|common| {
        !layout.path.is_empty() && !format!("{common}/").starts_with(&format!("{}/", layout.path))
    });
    if let (Ok(found), Some(common)) = (&mut tests, outside) {
        match units(&tree::below(&all, common), &[]) {
            Ok(more) => found.extend(more.into_iter().map(|unit| {
                TestUnit {
                    name: format!("{common}/{}", unit.name)
                        .trim_end_matches('/')
                        .to_owned(),
                    ..unit
                }
            })),
            Err(problems) => tests = Err(problems),
        }
    }
    Ok((source, tests))
}

/// Judges the checkup, and asks the worker for the tests. Blocks.
fn examine(
    worker: &Worker,
    checkup: Result<Result<Checkup, Problem>, WorkerError>,
    dialect: Dialect,
    tests: Units,
    around: Circumstances,
    wanted: policy::GroupKind,
) -> Result<Outcome, WorkerError> {
    let mut checkup = match checkup {
        Ok(Ok(checkup)) => checkup,
        Ok(Err(problem)) => return Ok(Outcome::errored(problem.to_string())),
        Err(WorkerError::Deaths(reason) | WorkerError::Refused(reason)) => {
            return Ok(Outcome::errored(reason));
        }
        Err(error @ (WorkerError::Start(_) | WorkerError::Answer(_))) => return Err(error),
    };
    if checkup.kind != wanted {
        return Ok(Outcome::errored(match wanted {
            policy::GroupKind::Files => "the manifest is one of a policy set (policies.hcl); add \
                terrane-policy.hcl, or make a group of kind `queries`"
                .to_owned(),
            policy::GroupKind::Queries => "the manifest names files (terrane-policy.hcl); add \
                policies.hcl, or make a group of kind `files`"
                .to_owned(),
        }));
    }
    if checkup.policies.len() > MAX_POLICIES {
        return Ok(Outcome::errored(format!(
            "it declares more than {MAX_POLICIES} policies; split the group"
        )));
    }
    let (reports, unreadable) = match tests {
        // Units without tests would only repeat what the checkup says of their policies.
        Ok(units) => {
            let tested = |unit: &TestUnit| unit.files.iter().any(|file| file.is_test());
            let units: Vec<TestUnit> = units.into_iter().filter(tested).collect();
            match worker.test(units, dialect, around) {
                Ok(reports) => (reports, Vec::new()),
                Err(WorkerError::Deaths(reason) | WorkerError::Refused(reason)) => {
                    (Vec::new(), vec![Problem::of_file("", reason, "")])
                }
                Err(error @ (WorkerError::Start(_) | WorkerError::Answer(_))) => {
                    return Err(error);
                }
            }
        }
        Err(problems) => (Vec::new(), problems),
    };
    trim(&mut checkup);
    let mut reports: Vec<UnitReport> = reports.into_iter().map(trimmed).collect();
    if !unreadable.is_empty() {
        reports.push(trimmed(UnitReport {
            problems: unreadable,
            ..UnitReport::default()
        }));
    }
    let failed: usize = reports.iter().map(|report| report.counts().1).sum();
    Ok(Outcome {
        status: if failed == 0 {
            Status::Good
        } else {
            Status::FailingTests
        },
        error: (failed > 0).then(|| summary(failed, &reports)),
        findings: Findings {
            checkup: Some(checkup),
            tests: reports,
        },
    })
}

/// One line that names the first test that fails.
fn summary(failed: usize, reports: &[UnitReport]) -> String {
    use policy::suite::TestOutcome::{Errored, Failed};
    let first = reports.iter().find_map(|report| {
        let broken = report.problems.iter().find(|problem| problem.is_error());
        let test = report
            .tests
            .iter()
            .find(|test| matches!(test.outcome, Failed | Errored));
        broken
            .map(ToString::to_string)
            .or_else(|| test.map(|test| format!("{}:{}: {}", test.file, test.line, test.name)))
    });
    let what = if failed == 1 {
        "test fails"
    } else {
        "tests fail"
    };
    format!("{failed} {what}: {}", first.unwrap_or_default())
}

fn trim(checkup: &mut Checkup) {
    checkup.problems.truncate(MAX_PROBLEMS);
    for policy in &mut checkup.policies {
        policy.problems.truncate(MAX_PROBLEMS);
    }
}

/// A report that fits into a row: its counts must not change by it, so what passed goes, and only as
/// many as there are too many.
fn trimmed(mut report: UnitReport) -> UnitReport {
    report.problems.truncate(MAX_PROBLEMS);
    let mut surplus = report.tests.len().saturating_sub(MAX_TESTS);
    for keep_failures in [true, false] {
        report.tests.retain(|test| {
            let passed = test.outcome == policy::suite::TestOutcome::Passed;
            let goes = surplus > 0 && (passed || !keep_failures);
            surplus -= usize::from(goes);
            !goes
        });
    }
    for test in &mut report.tests {
        let mut end = test.output.len().min(MAX_OUTPUT);
        while !test.output.is_char_boundary(end) {
            end -= 1;
        }
        test.output.truncate(end);
    }
    report
}

async fn conclude(
    app: &App,
    tenant: &Tenant,
    mut revision: Revision,
    outcome: Outcome,
) -> Result<(), PolicyError> {
    let ctx = Context::new(
        Actor::system(tenant.account(), "policy check"),
        app.clock.clone(),
    );
    revision.status = outcome.status;
    revision.error_message = outcome.error;
    revision.counts = Some(counts(&outcome.findings));
    revision
        .timestamps
        .insert(format!("{}-at", revision.status), ctx.now());
    let mut tx = app.db.begin().await?;
    let findings = Some(&outcome.findings);
    if !store::save(&mut tx, tenant, &revision, Status::Checking, findings).await? {
        // Somebody else was quicker, or it was deleted.
        return Ok(());
    }
    let (group, number) = (&revision.group_id, revision.number);
    let in_force = revision.status == Status::Good
        && !revision.proposed
        && group_store::put_in_force(&mut tx, tenant, group, &revision.id, number).await?;
    let proof = authorize(&ctx, Permission::PolicyGroupsUpdate, target(group))?;
    let detail = json!({
        "group": group, "revision": revision.id, "status": revision.status,
        "in_force": in_force, "error": revision.error_message,
    });
    audit::record(&mut tx, &ctx, &proof, "policy-revision.check", detail).await?;
    tx.commit().await?;
    app.signals.impact.wake();
    tracing::info!(
        %group, revision = %revision.id, status = %revision.status, in_force, "checked policies"
    );
    Ok(())
}

fn counts(findings: &Findings) -> Counts {
    let policies = findings.checkup.as_ref().map(|it| it.policies.as_slice());
    let policies = policies.unwrap_or_default();
    let is_broken =
        |policy: &&policy::worker::Checked| policy.problems.iter().any(Problem::is_error);
    let (passed, failed) = findings
        .tests
        .iter()
        .map(UnitReport::counts)
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Counts {
        policies: policies.len(),
        broken: policies.iter().filter(is_broken).count(),
        tests_passed: passed,
        tests_failed: failed,
    }
}
