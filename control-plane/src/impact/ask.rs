//! Asking a worker whatever is not known of the runs of a chunk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::ids::RunId;
use policy::worker::{Question, WorkerError};
use policy::{Circumstances, Outcome};

use super::chunk::{Row, reason, tags};
use super::error::ImpactError;
use super::model::{Compared, Side, Word};
use super::prepare::{Prepared, Snapshot};
use super::verdict_store::Pair;
use crate::app::App;
use crate::context::Tenant;
use crate::runs::RunError;
use crate::runs::gates;

type Result<T> = std::result::Result<T, ImpactError>;

/// Inputs that are held for one worker, in bytes; a larger one goes alone.
const AT_ONCE: usize = 24 << 20;

/// Which of the two revisions is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Before,
    After,
}

/// What is known, and what was found just now.
#[derive(Default)]
pub(super) struct Verdicts {
    pub(super) outcomes: HashMap<Pair, Outcome>,
    /// To be kept.
    pub(super) fresh: HashMap<Pair, (RunId, Word)>,
    /// Decided by a limit of the machine: not kept.
    pub(super) limited: HashMap<Pair, String>,
}

/// Asks one revision's policies whatever is not known yet.
pub(super) async fn ask(
    app: &App,
    tenant: &Tenant,
    job: &Prepared,
    which: Which,
    rows: &mut [Row<'_>],
    verdicts: &mut Verdicts,
) -> Result<()> {
    let snapshot = match which {
        Which::After => &job.after,
        Which::Before => match &job.before {
            Some(before) => before,
            None => return Ok(()),
        },
    };
    let mut batch: BTreeMap<String, Question> = BTreeMap::new();
    let mut size = 0;
    for row in rows.iter_mut().filter(|row| row.reason.is_none()) {
        let policies = unknown(job, which, row, verdicts);
        if policies.is_empty() {
            continue;
        }
        let input = match document(app, tenant, job, snapshot, row).await {
            Ok(document) => document,
            Err(error) => {
                row.reason = Some(reason(&row.run.run_id, error)?);
                continue;
            }
        };
        if size > 0 && size + input.len() > AT_ONCE {
            answer(app, job, which, std::mem::take(&mut batch), verdicts).await?;
            size = 0;
        }
        size += input.len();
        let question = Question {
            name: row.run.run_id.to_string(),
            policies,
            input,
            around: Circumstances {
                now_ns: row
                    .run
                    .run_created_at
                    .timestamp_nanos_opt()
                    .unwrap_or_default(),
            },
        };
        batch.insert(inputs_of(which, row).clone(), question);
    }
    answer(app, job, which, batch, verdicts).await
}

fn inputs_of<'r>(which: Which, row: &'r Row<'_>) -> &'r String {
    match which {
        Which::Before => &row.before_input,
        Which::After => &row.after_input,
    }
}

fn side_of(which: Which, policy: &Compared) -> Option<&Side> {
    match which {
        Which::Before => policy.before.as_ref(),
        Which::After => policy.after.as_ref(),
    }
}

/// Names of the policies whose word on a run isn't known.
fn unknown(job: &Prepared, which: Which, row: &Row<'_>, verdicts: &Verdicts) -> BTreeSet<String> {
    let input = inputs_of(which, row);
    let mut asked = BTreeSet::new();
    job.policies
        .iter()
        .filter_map(|policy| {
            let side = side_of(which, policy).filter(|side| side.error.is_none())?;
            let pair = (side.digest.clone(), input.clone());
            let known =
                verdicts.outcomes.contains_key(&pair) || verdicts.limited.contains_key(&pair);
            // Two names for the same policy: one answer is enough.
            (!known && asked.insert(pair)).then(|| policy.name.clone())
        })
        .collect()
}

async fn document(
    app: &App,
    tenant: &Tenant,
    job: &Prepared,
    snapshot: &Snapshot,
    row: &Row<'_>,
) -> std::result::Result<Vec<u8>, RunError> {
    let input = gates::input_again(app, tenant, &row.run.run_id, job.stage).await?;
    let layout = &snapshot.layout;
    Ok(input.document(layout.kind, tags(layout)))
}

async fn answer(
    app: &App,
    job: &Prepared,
    which: Which,
    batch: BTreeMap<String, Question>,
    verdicts: &mut Verdicts,
) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let snapshot = match (which, &job.before) {
        (Which::Before, Some(before)) => before,
        (Which::Before, None) | (Which::After, _) => &job.after,
    };
    let inputs: HashMap<String, String> = batch
        .iter()
        .map(|(input, question)| (question.name.clone(), input.clone()))
        .collect();
    let questions: Vec<Question> = batch.into_values().collect();
    let (worker, source) = (app.policy_worker.clone(), snapshot.source.clone());
    let judged = tokio::task::spawn_blocking(move || worker.judge(source, &questions))
        .await
        .map_err(|_| WorkerError::Refused("the evaluation was cut off".to_owned()))??;
    for answer in judged {
        let side = job
            .policies
            .iter()
            .find(|policy| policy.name == answer.verdict.policy)
            .and_then(|policy| side_of(which, policy));
        let (Some(side), Some(input)) = (side, inputs.get(&answer.case)) else {
            continue;
        };
        let Ok(run) = answer.case.parse::<RunId>() else {
            continue;
        };
        let pair = (side.digest.clone(), input.clone());
        let verdict = answer.verdict;
        if answer.limited {
            verdicts
                .limited
                .insert(pair, verdict.error.unwrap_or_default());
            continue;
        }
        let word = Word {
            outcome: verdict.outcome,
            messages: verdict.messages,
            omitted: i64::try_from(verdict.omitted).unwrap_or(i64::MAX),
            error: verdict.error,
        };
        verdicts.outcomes.insert(pair.clone(), word.outcome);
        verdicts.fresh.insert(pair, (run, word));
    }
    Ok(())
}
