//! Asking a worker whatever is not known of the runs of a chunk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::ids::RunId;
use futures::{StreamExt, stream};
use policy::worker::{Question, WorkerError};
use policy::{Circumstances, Outcome};

use super::chunk::{Row, reason, tags};
use super::error::ImpactError;
use super::model::{Compared, Side, Word};
use super::prepare::{Prepared, Snapshot};
use super::verdict_store::Pair;
use crate::app::App;
use crate::context::Tenant;
use crate::runs::gates::{self, StoredInput};

type Result<T> = std::result::Result<T, ImpactError>;

/// Inputs that are held for one worker, in bytes; a larger one goes alone.
const AT_ONCE: u64 = 24 << 20;
/// Inputs that are read at the same time.
const READ_AHEAD: usize = 8;

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
    let mut asked = asked.into_iter().peekable();
    while asked.peek().is_some() {
        let mut part = Vec::new();
        let mut size = 0;
        while let Some((at, _)) = asked.peek() {
            let stored = inputs.get(&rows[*at].run.run_id);
            let next = stored.map_or(0, StoredInput::size);
            if size > 0 && size + next > AT_ONCE {
                break;
            }
            size += next;
            if let Some((at, policies)) = asked.next() {
                let stored = inputs.remove(&rows[at].run.run_id);
                part.push((at, policies, stored));
            }
        }
        let batch = questions(app, tenant, job, snapshot, rows, part).await?;
        let batch = batch
            .into_iter()
            .map(|(at, question)| (inputs_of(which, &rows[at]).clone(), question))
            .collect();
        answer(app, job, which, batch, verdicts).await?;
    }
    Ok(())
}

/// A run's place among the rows, what it is asked, and its input, if that has been made.
type Asked = (usize, BTreeSet<String>, Option<StoredInput>);

/// Reads the inputs of a part of the runs. A run whose input can't be had is given its reason.
async fn questions(
    app: &App,
    tenant: &Tenant,
    job: &Prepared,
    snapshot: &Snapshot,
    rows: &mut [Row<'_>],
    part: Vec<Asked>,
) -> Result<Vec<(usize, Question)>> {
    let layout = &snapshot.layout;
    let read: Vec<_> = stream::iter(part)
        .map(|(at, policies, stored)| async move {
            let read = match stored {
                Some(stored) => Some(stored.read().await),
                None => None,
            };
            (at, policies, read)
        })
        .buffered(READ_AHEAD)
        .collect()
        .await;
    let mut batch = Vec::with_capacity(read.len());
    for (at, policies, input) in read {
        let row = &mut rows[at];
        let run = &row.run.run_id;
        let input = match input {
            Some(input) => input,
            // Made one after the other: nobody knows how large they are.
            None => gates::input_again(app, tenant, run, job.stage).await,
        };
        let input = match input {
            Ok(input) => input.document(layout.kind, tags(layout)),
            Err(error) => {
                row.reason = Some(reason(run, error)?);
                continue;
            }
        };
        let created = row.run.run_created_at;
        let question = Question {
            name: run.to_string(),
            policies,
            input,
            around: Circumstances {
                now_ns: created.timestamp_nanos_opt().unwrap_or_default(),
            },
        };
        batch.push((at, question));
    }
    Ok(batch)
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
