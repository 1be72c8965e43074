//! From verdicts to the fields of the matrix, written with what is to be known from now on.

use domain::policy::Change;
use policy::Outcome;

use super::ask::Verdicts;
use super::cell::{self, Standing};
use super::chunk::Row;
use super::error::ImpactError;
use super::model::Side;
use super::prepare::Prepared;
use super::result_store::{self, NewField};
use super::{scope_store, verdict_store};
use crate::app::App;
use crate::context::Tenant;

type Result<T> = std::result::Result<T, ImpactError>;

/// One side of a field, with the error that is not kept as a verdict.
fn standing(
    side: Option<&Side>,
    input: &str,
    overridable: bool,
    verdicts: &Verdicts,
) -> (Standing, Option<String>) {
    let Some(side) = side else {
        return (Standing::ABSENT, None);
    };
    let errored = Standing::of(side.level, Outcome::Errored, overridable);
    if let Some(error) = &side.error {
        return (errored, Some(error.clone()));
    }
    let pair = (side.digest.clone(), input.to_owned());
    if let Some(outcome) = verdicts.outcomes.get(&pair) {
        return (Standing::of(side.level, *outcome, overridable), None);
    }
    let error = verdicts.limited.get(&pair).cloned();
    (
        errored,
        Some(error.unwrap_or_else(|| "its evaluation gave no answer".to_owned())),
    )
}

pub(super) async fn write(
    app: &App,
    tenant: &Tenant,
    job: &Prepared,
    rows: &[Row<'_>],
    verdicts: &Verdicts,
    digests: &[&str],
    inputs: &[&str],
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    verdict_store::insert(&mut tx, tenant, &verdicts.fresh, now).await?;
    let day_ago = now - chrono::TimeDelta::days(1);
    verdict_store::touch(&mut tx, tenant, digests, inputs, now, day_ago).await?;
    for row in rows {
        let mut outcome = scope_store::Outcome {
            reason: row.reason.clone(),
            before_input: Some(row.before_input.clone()),
            after_input: Some(row.after_input.clone()),
            evaluated: row.evaluated,
            known: row.known,
            ..scope_store::Outcome::default()
        };
        let mut fields = Vec::with_capacity(job.policies.len());
        if row.reason.is_none() {
            for policy in &job.policies {
                let overridable = job.overridable;
                let (before, before_error) = standing(
                    policy.before.as_ref(),
                    &row.before_input,
                    overridable,
                    verdicts,
                );
                let (after, after_error) = standing(
                    policy.after.as_ref(),
                    &row.after_input,
                    overridable,
                    verdicts,
                );
                let change = cell::change(before, after);
                outcome.newly_failing += i64::from(change == Change::NewlyFailing);
                outcome.newly_passing += i64::from(change == Change::NewlyPassing);
                outcome.changed += i64::from(change != Change::Unchanged);
                fields.push(NewField {
                    policy: &policy.name,
                    change,
                    before: before.result,
                    after: after.result,
                    before_error,
                    after_error,
                });
            }
        }
        let (id, run) = (&job.analysis.id, &row.run.run_id);
        if scope_store::conclude(&mut tx, tenant, id, run, &outcome).await? {
            result_store::insert(&mut tx, tenant, id, run, &fields).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
