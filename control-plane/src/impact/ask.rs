//! Asking a worker whatever is not known of the runs of a chunk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::ids::RunId;
use policy::worker::{Question, WorkerError};
use policy::{Circumstances, Outcome};

use super::chunk::{Row, reason, tags};
use super::error::ImpactError;
use super::model::{Compared, Side, Word};
use super::prepare::Prepared;
use super::verdict_store::Pair;
use crate::app::App;
use crate::context::Tenant;
use crate::runs::gates::{self, StoredInput};

type Result<T> = std::result::Result<T, ImpactError>;

/// Inputs that are held for one worker, in bytes; a larger one goes alone.
const AT_ONCE: u64 = 24 << 20;

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
    let asked: Vec<(usize, BTreeSet<String>)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.reason.is_none())
        .map(|(at, row)| (at, unknown(job, which, row, verdicts)))
        .filter(|(_, policies)| !policies.is_empty())
        .collect();
    let runs: Vec<&RunId> = asked.iter().map(|(at, _)| &rows[*at].run.run_id).collect();
    let mut inputs = gates::stored_inputs(app, tenant, job.stage, &runs).await?;
    let mut batch: BTreeMap<String, Question> = BTreeMap::new();
    let mut size = 0;
    for (at, policies) in asked {
        let row = &mut rows[at];
        let run = &row.run.run_id;
        let stored = inputs.remove(run);
        let next = stored.as_ref().map_or(0, StoredInput::size);
        if size > 0 && size + next > AT_ONCE {
            answer(app, job, which, std::mem::take(&mut batch), verdicts).await?;
            size = 0;
        }
        let input = match stored {
            Some(stored) => stored.read().await,
            None => gates::input_again(app, tenant, run, job.stage).await,
        };
        let input = match input {
            Ok(input) => input.document(snapshot.layout.kind, tags(&snapshot.layout)),
            Err(error) => {
                row.reason = Some(reason(run, error)?);
                continue;
            }
        };
        size += input.len() as u64;
        let created = row.run.run_created_at;
        let question = Question {
            name: run.to_string(),
            policies,
            input,
            around: Circumstances {
                now_ns: created.timestamp_nanos_opt().unwrap_or_default(),
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
