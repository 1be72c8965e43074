//! A job's way through its stages.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::v1::complete_request::Outcome;
use protocol::v1::{CompleteRequest, job};
use tokio::sync::watch;

use super::directory::Stage;
use super::finish_plan::{chain, finish_plan};
use super::hand_over::{Kept, complete, is_apply, is_released, kept, note};
use super::outcome::{apply_summary, operations, outcome_of, report, sentence};
use super::plan_again::plan_again;
use super::prepare::prepare;
use super::watch_step::{Ended, watch_step};
use super::{Context, JobDirectory, Wanted, credentials, logs, progress};
use crate::executor::{Execution, Executor};
use crate::logs::source::{StepEnd, StepProgress};
use crate::relay::{Relay, RelayJob};
use crate::state::{Label, bring_home, found, sync_snapshots};
use crate::wire::{ArtefactError, Refused};

/// Runs a job from wherever its directory says it is, to its acknowledged end. Returns when the
/// directory is gone, or when the runner stops.
pub async fn run_job(
    context: Arc<Context>,
    mut directory: JobDirectory,
    mut wanted: watch::Receiver<Wanted>,
) {
    let id = directory.job.id.clone();
    tracing::info!(job = %id, kind = %directory.job.kind, stage = ?directory.record.stage, "job");
    loop {
        let connection = context.wire.connection();
        let report = if matches!(directory.job.work, Some(job::Work::Fetch(_))) {
            super::fetch::fetch(&context, &mut directory, &mut wanted).await
        } else {
            run_step(&context, &mut directory, &mut wanted).await
        };
        let ended = match report {
            Ok(report) => complete(&context, &mut directory, report, &mut wanted).await,
            Err(refused) => Err(refused),
        };
        match ended {
            Ok(()) => break,
            Err(Refused::Stopping) => return,
            Err(_) if !is_apply(&directory) => break,
            Err(refused) => {
                tracing::warn!(
                    job = %id, %refused,
                    "an apply was refused; it is kept until the control plane forgets it"
                );
                match kept(&context, &mut wanted, connection, &refused).await {
                    Ok(Kept::Again) => {}
                    Ok(Kept::Forgotten) => break,
                    Err(_) => return,
                }
            }
        }
    }
    for executor in context.executors.all() {
        if let Err(error) = executor
            .remove(&id, directory.record.execution.as_ref())
            .await
        {
            tracing::warn!(job = %id, %error, "what is left of the step could not be removed");
        }
    }
    if let Err(error) = directory.remove() {
        tracing::warn!(job = %id, %error, "the job's directory could not be removed");
    }
    tracing::info!(job = %id, "job over");
}

/// Plan or apply: prepare, start, watch, and make the report.
async fn run_step(
    context: &Context,
    directory: &mut JobDirectory,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<CompleteRequest, Refused> {
    let mut relay = None;
    if directory.record.stage == Stage::Preparing && directory.record.failure.is_none() {
        relay = prepare_and_start(context, directory, wanted).await;
    } else if directory.record.stage == Stage::Running {
        relay = relay_again(context, directory).await;
    }
    let relaying = async {
        match &relay {
            Some(relay) => relay.serve().await,
            None => std::future::pending().await,
        }
    };
    let (progress, seen) = watch::channel(StepProgress::default());
    let logs = logs::send_logs(context, directory, seen.clone());
    let told = progress::tell_progress(context, directory, seen.clone());
    let body = watch_and_report(context, directory, wanted, &progress);
    let both = async {
        // Boxed: each holds a whole conversation.
        let (_, report) = tokio::join!(Box::pin(logs), Box::pin(body));
        report
    };
    tokio::select! {
        report = both => report,
        never = told => match never {},
        never = relaying => match never {},
    }
}

/// The step goes on asking where it asked before the restart.
async fn relay_again(context: &Context, directory: &JobDirectory) -> Option<Relay> {
    let address = directory.record.relay.clone()?;
    let job = RelayJob {
        job_id: directory.job.id.clone(),
        epoch: directory.job.epoch,
    };
    match Relay::again(context.wire.for_job(), job, address).await {
        Ok(relay) => Some(relay),
        Err(error) => {
            tracing::warn!(job = %directory.job.id, %error, "the step's relay can't listen again");
            None
        }
    }
}

/// Enters [`Stage::Running`], or notes why that was not possible.
async fn prepare_and_start(
    context: &Context,
    directory: &mut JobDirectory,
    wanted: &mut watch::Receiver<Wanted>,
) -> Option<Relay> {
    let settings = directory.job.execution.clone().unwrap_or_default();
    let result = async {
        let executor = context
            .executors
            .choose(&settings.executor)
            .map_err(|e| e.to_string())?;
        let prepared = tokio::select! {
            prepared = Box::pin(prepare(context, directory, &*executor)) => prepared,
            () = until_canceled(wanted) => {
                directory.record.canceled = true;
                return Err("The run was canceled before it began.".to_owned());
            }
        };
        let prepared = prepared.map_err(|error| chain(&error))?;
        directory
            .enter(Stage::Running)
            .map_err(|error| chain(&error))?;
        let execution = executor
            .start(&prepared.start)
            .await
            .map_err(|e| chain(&e))?;
        directory.record.execution = Some(execution);
        if let Err(error) = directory.save() {
            tracing::warn!(job = %directory.job.id, %error, "the job's record could not be written");
        }
        Ok(prepared.relay)
    }
    .await;
    match result {
        Ok(relay) => relay,
        Err(failure) => {
            directory.record.failure = Some(failure);
            let stage = directory.record.stage;
            note(directory, stage);
            None
        }
    }
}

async fn until_canceled(wanted: &mut watch::Receiver<Wanted>) {
    if wanted
        .wait_for(|wanted| *wanted != Wanted::Continue)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// Follows the step to its end and brings everything home but the logs.
async fn watch_and_report(
    context: &Context,
    directory: &mut JobDirectory,
    wanted: &mut watch::Receiver<Wanted>,
    progress: &watch::Sender<StepProgress>,
) -> Result<CompleteRequest, Refused> {
    if let Some(failure) = directory.record.failure.clone() {
        return Ok(never_started(context, directory, progress, &failure));
    }
    let mut ended = follow(context, directory, wanted, progress).await;
    if matches!(&ended, Ended::Exited(exit) if exit.ended_early) {
        ended = match begin_again(context, directory).await {
            Ok(()) => follow(context, directory, wanted, progress).await,
            Err(reason) => Ended::NeverBegan(reason),
        };
    }
    context.wish_for_installed(directory);
    let applies = is_apply(directory);
    let said = sentence(&ended, applies);
    progress.send_modify(|it| it.end = Some(end_of(directory, &ended, &said)));
    note(directory, Stage::Finishing);
    wipe_credentials(directory);
    let mut report = if applies {
        apply_report(context, directory, &ended, wanted).await?
    } else {
        plan_report(context, directory, &ended).await
    };
    report
        .terraform_version
        .clone_from(&directory.record.terraform_version);
    if report.error.is_empty() {
        report.error = context.secrets_of(&directory.job).mask_text(&said);
    }
    match &ended {
        Ended::Exited(exit) => {
            report.out_of_memory = exit.out_of_memory;
            report.timed_out = exit.timed_out;
        }
        Ended::Died { out_of_memory } => report.out_of_memory = *out_of_memory,
        Ended::NeverBegan(_) => {}
    }
    Ok(report)
}

/// Nothing runs any more that could use them.
fn wipe_credentials(directory: &JobDirectory) {
    let wiped = directory.step().and_then(|step| credentials::wipe(&step));
    if let Err(error) = wiped {
        tracing::warn!(job = %directory.job.id, %error,
            "the files of provider configurations go with the job's directory");
    }
}

fn never_started(
    context: &Context,
    directory: &JobDirectory,
    progress: &watch::Sender<StepProgress>,
    failure: &str,
) -> CompleteRequest {
    let failure = context.secrets_of(&directory.job).mask_text(failure);
    let canceled = directory.record.canceled;
    let trailer = if canceled {
        format!("\n{failure}\n")
    } else {
        format!("\nError: {failure}\n")
    };
    progress.send_modify(|it| {
        it.end = Some(StepEnd {
            failed: BTreeSet::new(),
            trailer,
        });
    });
    let outcome = if canceled {
        Outcome::Canceled
    } else {
        Outcome::Failed
    };
    report(&directory.job, outcome, failure)
}

fn end_of(directory: &JobDirectory, ended: &Ended, said: &str) -> StepEnd {
    let trailer = if said.is_empty() {
        String::new()
    } else {
        format!("\n{said}\n")
    };
    StepEnd {
        failed: ended.failed(&directory.record.commands),
        trailer,
    }
}

/// Watches the step while its state snapshots go up.
async fn follow(
    context: &Context,
    directory: &mut JobDirectory,
    wanted: &mut watch::Receiver<Wanted>,
    progress: &watch::Sender<StepProgress>,
) -> Ended {
    let Ok(step) = directory.step() else {
        return Ended::Died {
            out_of_memory: false,
        };
    };
    let recorded = directory.record.execution.clone();
    let settings = directory.job.execution.clone().unwrap_or_default();
    // It may have been started just before the runner ended, and not recorded.
    let executor = match &recorded {
        Some(execution) => context.executors.of(execution),
        None => context.executors.choose(&settings.executor),
    };
    let executor: Arc<dyn Executor> = match executor {
        Ok(executor) => executor,
        Err(error) => {
            tracing::error!(job = %directory.job.id, %error, "the step can't be looked after");
            return Ended::Died {
                out_of_memory: false,
            };
        }
    };
    let execution = recorded.unwrap_or(Execution::Process { pid: 0, uid: None });
    executor.found(&execution);
    let (over, is_over) = watch::channel(false);
    let id = directory.job.id.clone();
    let commands = directory.record.commands.clone();
    let watching = async {
        let ended = watch_step(
            &id, &step, &*executor, &execution, &commands, wanted, progress,
        )
        .await;
        over.send_replace(true);
        ended
    };
    let syncing = sync_snapshots(&context.wire, &directory.job, &step, is_over);
    // An upload that is stuck must not keep the end from being seen.
    let mut syncing = Box::pin(syncing);
    let mut watching = Box::pin(watching);
    tokio::select! {
        ended = &mut watching => ended,
        () = &mut syncing => watching.await,
    }
}

/// Starts the second step of a large plan; a sentence for people if that fails.
async fn begin_again(context: &Context, directory: &mut JobDirectory) -> Result<(), String> {
    let settings = directory.job.execution.clone().unwrap_or_default();
    let executor = context
        .executors
        .choose(&settings.executor)
        .map_err(|error| chain(&error))?;
    plan_again(context, directory, &*executor)
        .await
        .map_err(|error| chain(&error))
}

async fn apply_report(
    context: &Context,
    directory: &JobDirectory,
    ended: &Ended,
    wanted: &watch::Receiver<Wanted>,
) -> Result<CompleteRequest, Refused> {
    let job = &directory.job;
    let died = matches!(ended, Ended::Died { .. });
    let Ok(step) = directory.step() else {
        return Ok(report(
            job,
            Outcome::StateUncertain,
            "The step's directory is gone.",
        ));
    };
    let settings = super::prepare::settings_of(job)
        .cloned()
        .unwrap_or_default();
    let label = Label {
        base_serial: settings.current_serial,
        lineage: &settings.current_lineage,
        recovery: died,
    };
    let state_file = directory.record.state_file.as_deref();
    let home = bring_home(&context.wire, job, &step, state_file, label).await;
    let (home, unsent) = match home {
        Ok(home) => (home, None),
        Err(ArtefactError::Refused(refused @ (Refused::Stopping | Refused::Denied(_)))) => {
            return Err(refused);
        }
        // Its report would be taken, and the only copy of the state removed.
        Err(error) if is_released(wanted) => return Err(Refused::Status(chain(&error))),
        Err(error) => (crate::state::BroughtHome::default(), Some(chain(&error))),
    };
    let done = operations(&step).unwrap_or_default();
    let newest = newest_in_clear(&step, state_file, &settings.current_lineage).await;
    let broken = match ended {
        Ended::Exited(exit) => !exit.state_whole || exit.refused_state.is_some(),
        Ended::Died { .. } => true,
        Ended::NeverBegan(_) => false,
    };
    let killed = matches!(ended, Ended::Exited(exit) if exit.outcome == step::Outcome::Killed);
    let unrecorded = if broken || killed {
        done.possibly_unrecorded(newest.as_ref())
    } else {
        Vec::new()
    };
    let lost_hold = killed && done.in_flight().len() > 0;
    let uncertain =
        broken || home.errored || unsent.is_some() || lost_hold || !unrecorded.is_empty();
    let mut request = report(job, outcome_of(ended, true, uncertain), String::new());
    request.apply = Some(apply_summary(&done, unrecorded));
    if let Some(reason) = unsent {
        request.error = format!("The state could not be uploaded: {reason}");
    } else if let Ended::Exited(exit) = ended
        && let Some(reason) = &exit.refused_state
    {
        request.error = format!("The state at the end was not taken: {reason}");
    }
    Ok(request)
}

async fn newest_in_clear(
    step: &super::StepDir,
    state_file: Option<&std::path::Path>,
    lineage: &str,
) -> Option<terraform::state::State> {
    let (step, file) = (step.clone(), state_file.map(std::path::Path::to_owned));
    let lineage = lineage.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let all = found(&step, file.as_deref(), &lineage);
        let newest = all
            .into_iter()
            .find(|it| it.source != crate::state::Source::Journal)?;
        terraform::state::read(std::io::BufReader::new(newest.file)).ok()
    });
    read.await.ok().flatten()
}

async fn plan_report(
    context: &Context,
    directory: &JobDirectory,
    ended: &Ended,
) -> CompleteRequest {
    let job = &directory.job;
    let outcome = outcome_of(ended, false, false);
    let mut request = report(job, outcome, String::new());
    if outcome != Outcome::Succeeded {
        return request;
    }
    let mode = directory
        .record
        .state_mode
        .unwrap_or(step::StateMode::Local);
    match Box::pin(finish_plan(context, directory, mode)).await {
        Ok(summary) => request.plan = Some(summary),
        Err(error) => {
            request = report(job, Outcome::Failed, chain(&error));
        }
    }
    request
}
