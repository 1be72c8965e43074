//! A few runs of an analysis at a time: which verdicts are known, which have to be evaluated, and
//! the fields that both give.

use std::collections::BTreeSet;

use domain::ids::RunId;
use policy::input::Tags;
use policy::{Dialect, GroupKind};
use sha2::{Digest, Sha256};

use super::ask::{Verdicts, Which, ask};
use super::error::ImpactError;
use super::model::{InScope, Side};
use super::prepare::Prepared;
use super::verdict_store::{self, Pair};
use super::write::write;
use crate::app::App;
use crate::context::Tenant;
use crate::http::error::chain;
use crate::policies::Layout;
use crate::problem::{Kind, Problem as _};
use crate::runs::RunError;
use crate::runs::gates;

type Result<T> = std::result::Result<T, ImpactError>;

/// A run of the chunk, as far as it is known.
pub(super) struct Row<'a> {
    pub(super) run: &'a InScope,
    /// Why it can't be judged.
    pub(super) reason: Option<String>,
    pub(super) before_input: String,
    pub(super) after_input: String,
    pub(super) evaluated: i64,
    pub(super) known: i64,
}

/// Judges the runs, and writes what came of them.
///
/// # Errors
/// A fault, or a worker that can't be had. What was written stays.
pub(super) async fn judge(
    app: &App,
    tenant: &Tenant,
    job: &Prepared,
    runs: &[InScope],
) -> Result<()> {
    let mut rows = rows(app, tenant, job, runs).await?;
    let digests = job.digests();
    let inputs: BTreeSet<String> = rows
        .iter()
        .filter(|row| row.reason.is_none())
        .flat_map(|row| [row.before_input.clone(), row.after_input.clone()])
        .collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut conn = app.db.acquire().await?;
    let mut verdicts = Verdicts {
        outcomes: verdict_store::outcomes(&mut conn, tenant, &digests, &inputs).await?,
        ..Verdicts::default()
    };
    drop(conn);
    let known: BTreeSet<Pair> = verdicts.outcomes.keys().cloned().collect();
    for which in [Which::After, Which::Before] {
        ask(app, tenant, job, which, &mut rows, &mut verdicts).await?;
    }
    for row in rows.iter_mut().filter(|row| row.reason.is_none()) {
        let pairs = pairs(job, row);
        let before = pairs.iter().filter(|pair| known.contains(*pair)).count();
        row.known = i64::try_from(before).unwrap_or(0);
        row.evaluated = i64::try_from(pairs.len() - before).unwrap_or(0);
    }
    write(app, tenant, job, &rows, &verdicts, &digests, &inputs).await
}

/// Every question that a run raises, once.
fn pairs(job: &Prepared, row: &Row<'_>) -> BTreeSet<Pair> {
    let of = |side: &Option<Side>, input: &String| {
        let side = side.as_ref().filter(|side| side.error.is_none())?;
        Some((side.digest.clone(), input.clone()))
    };
    job.policies
        .iter()
        .flat_map(|policy| {
            [
                of(&policy.before, &row.before_input),
                of(&policy.after, &row.after_input),
            ]
        })
        .flatten()
        .collect()
}

/// The digest of the document that a revision's policies see: it has different forms.
fn input_digest(digest: &str, layout: &Layout) -> String {
    let form = match (layout.kind, tags(layout)) {
        (GroupKind::Files, Tags::Map) => "files/map",
        (GroupKind::Files, Tags::List) => "files/list",
        (GroupKind::Queries, _) => "queries",
    };
    hex::encode(Sha256::digest(format!("{digest}\n{form}")))
}

async fn rows<'a>(
    app: &App,
    tenant: &Tenant,
    job: &Prepared,
    runs: &'a [InScope],
) -> Result<Vec<Row<'a>>> {
    let ids: Vec<&RunId> = runs.iter().map(|run| &run.run_id).collect();
    let mut conn = app.db.acquire().await?;
    let mut known = gates::input_digests(&mut conn, tenant, job.stage, &ids).await?;
    drop(conn);
    let mut rows = Vec::with_capacity(runs.len());
    for run in runs {
        let mut row = Row {
            run,
            reason: None,
            before_input: String::new(),
            after_input: String::new(),
            evaluated: 0,
            known: 0,
        };
        let digest = match known.remove(&run.run_id) {
            Some(digest) => Some(digest),
            None => match gates::input_again(app, tenant, &run.run_id, job.stage).await {
                // Not held: twenty large plans at once would be too much.
                Ok(input) => Some(input.digest),
                Err(error) => {
                    row.reason = Some(reason(&row.run.run_id, error)?);
                    None
                }
            },
        };
        if let Some(digest) = digest {
            let before = job.before.as_ref().unwrap_or(&job.after);
            row.before_input = input_digest(&digest, &before.layout);
            row.after_input = input_digest(&digest, &job.after.layout);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Why a run can't be judged.
///
/// # Errors
/// What may be gone after a while.
pub(super) fn reason(run: &RunId, error: RunError) -> Result<String> {
    match error.kind() {
        Kind::Unavailable => Err(error.into()),
        Kind::NotFound => Ok("its plan is no longer stored".to_owned()),
        Kind::Internal => {
            tracing::warn!(%run, error = chain(&error), "a run can't be judged");
            Ok("its plan can't be read; the control plane's log tells why".to_owned())
        }
        Kind::Malformed
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::Conflict
        | Kind::Invalid
        | Kind::TooLarge => Ok(chain(&error)),
    }
}

/// Policies of Rego v0's time look tags up as keys.
pub(super) fn tags(layout: &Layout) -> Tags {
    match (layout.kind, layout.dialect) {
        (GroupKind::Files, Dialect::V0) => Tags::Map,
        _ => Tags::List,
    }
}
